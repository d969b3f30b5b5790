import * as Y from "yjs";

export interface DeletedRange {
  readonly writer: number;
  readonly clock: number;
  readonly length: number;
}

/**
 * What a transaction leaves in every document that holds it. Inserts show as the writer's clock;
 * deletes move no clock, so the ranges of ids are kept. A state vector alone would call a
 * delete-only transaction arrived before it was sent.
 */
export interface Footprint {
  readonly writer: number;
  readonly clock: number;
  readonly deleted: readonly DeletedRange[];
}

export interface Captured {
  /** The author's bytes; missing when the edit changed nothing. */
  readonly update: Uint8Array | undefined;
  readonly footprint: Footprint;
}

const nothingDeleted: readonly DeletedRange[] = [];

/** Runs `edit` as one transaction of `doc` and returns what it made. */
export function capture(doc: Y.Doc, edit: () => void): Captured {
  let update: Uint8Array | undefined;
  let deleted = nothingDeleted;
  const onUpdate = (bytes: Uint8Array, _origin: unknown, _doc: Y.Doc, made: Y.Transaction) => {
    update = bytes;
    deleted = rangesOf(made);
  };
  doc.on("update", onUpdate);
  try {
    doc.transact(edit);
  } finally {
    doc.off("update", onUpdate);
  }
  const clock = Y.getState(doc.store, doc.clientID);
  return { update, footprint: { writer: doc.clientID, clock, deleted } };
}

/**
 * Whether `doc` holds everything the transaction did. Parked structs do not count. A range that
 * somebody else deleted as well counts: documents that agree on it cannot be told apart.
 */
export function holds(doc: Y.Doc, { writer, clock, deleted }: Footprint): boolean {
  if (Y.getState(doc.store, writer) < clock) return false;
  return deleted.every((range) => isDeleted(doc, range));
}

function rangesOf({ deleteSet }: Y.Transaction): readonly DeletedRange[] {
  if (deleteSet.clients.size === 0) return nothingDeleted;
  const ranges: DeletedRange[] = [];
  for (const [writer, items] of deleteSet.clients) {
    for (const { clock, len } of items) ranges.push({ writer, clock, length: len });
  }
  return ranges;
}

function isDeleted(doc: Y.Doc, { writer, clock, length }: DeletedRange): boolean {
  const end = clock + length;
  const structs = doc.store.clients.get(writer);
  if (structs === undefined || Y.getState(doc.store, writer) < end) return false;
  for (let at = Y.findIndexSS(structs, clock); at < structs.length; at++) {
    const struct = structs[at]!;
    if (struct.id.clock >= end) break;
    if (!struct.deleted) return false;
  }
  return true;
}
