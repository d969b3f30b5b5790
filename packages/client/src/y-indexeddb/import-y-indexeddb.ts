import { HeddleError, HeddleErrorCode } from "@heddle/core/base";
import { parseStored } from "@heddle/document/live";
import * as Y from "yjs";

import type { HeddleProvider } from "../provider/heddle-provider.ts";
import { readYIndexeddb } from "./read-y-indexeddb.ts";

/** Where y-indexeddb kept it. */
export interface YIndexeddbImportOptions {
  /** Of the database, which y-indexeddb was given as the name of the document. Default: the room. */
  readonly name?: string;
}

/** What came of an import. */
export interface YIndexeddbImport {
  /** False when this origin has no such database; none is made. */
  readonly found: boolean;
  /** Rows that were read. */
  readonly updates: number;
  /** False when the document had all of it already. */
  readonly hasChanged: boolean;
}

/** Of the transaction that brings it: no binding and no undo manager takes it for somebody's edit. */
const importOrigin = Object.freeze({ name: "y-indexeddb" });
/** What another tab has imported arrives here a moment later. */
const arrivalMsMax = 5_000;

/**
 * Brings what y-indexeddb has kept of a document into the provider's document, and so into its store;
 * resolves when it is saved there. The database is only read: remove it, or y-indexeddb, when you like.
 *
 * Content keeps the ids that it was written with, so that a second call changes nothing. Tabs take turns,
 * and who comes second waits for what the first has written instead of writing it again.
 *
 * @throws HeddleError `HEDDLE_UPDATE_MALFORMED` when a row is no update: nothing is applied then;
 * `HEDDLE_STORAGE_IO` when the database cannot be read, `..._UNAVAILABLE` where there is no IndexedDB; and
 * as `whenLoaded` and `whenSaved` do.
 */
export async function importYIndexeddb(
  provider: HeddleProvider,
  { name = provider.roomname }: YIndexeddbImportOptions = {},
): Promise<YIndexeddbImport> {
  const rows = await readYIndexeddb(name);
  if (rows === undefined) return { found: false, updates: 0, hasChanged: false };
  const update = merged(rows);
  await provider.whenLoaded();
  const hasChanged = await inTurn(`heddle-import:${name}`, async () => {
    const mark = importMark(`${provider.serverUrl}/${provider.roomname}`, name);
    if (mark.isSet) await whenContained(provider.doc, update);
    const before = Y.encodeStateAsUpdate(provider.doc);
    Y.applyUpdate(provider.doc, update, importOrigin);
    await provider.whenSaved();
    mark.set();
    const after = Y.encodeStateAsUpdate(provider.doc);
    return before.length !== after.length || before.some((byte, at) => byte !== after[at]);
  });
  return { found: true, updates: rows.length, hasChanged };
}

function merged(rows: readonly unknown[]): Uint8Array {
  try {
    const updates = rows.map((row) => {
      if (!(row instanceof Uint8Array)) throw new TypeError("a row is no bytes");
      return parseStored(row).bytes;
    });
    return Y.mergeUpdates(updates);
  } catch (cause) {
    const message = "what y-indexeddb has kept is not all Yjs updates";
    throw new HeddleError(HeddleErrorCode.updateMalformed, message, { cause });
  }
}

/** One tab at a time, where tabs can take turns. */
async function inTurn<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  const { locks } = navigator as { readonly locks?: LockManager };
  return locks === undefined ? work() : locks.request(name, work);
}

/** That some tab has imported it. Never a reason to leave something out, only to wait for it. */
function importMark(document: string, name: string): { readonly isSet: boolean; set(): void } {
  const key = `heddle-imported:${document}:${name}`;
  return {
    isSet: withStorage((storage) => storage.getItem(key)) !== undefined,
    set: () => void withStorage((storage) => storage.setItem(key, new Date().toISOString())),
  };
}

/** A page that may keep nothing there cannot know: at worst the log has it twice, the document never. */
function withStorage<Result>(use: (storage: Storage) => Result | null): Result | undefined {
  try {
    return use(globalThis.localStorage) ?? undefined;
  } catch {
    return undefined; // It is told so by throwing, whether there is no storage or no room in it.
  }
}

async function whenContained(doc: Y.Doc, update: Uint8Array): Promise<void> {
  const wanted = Y.decodeStateVector(Y.encodeStateVectorFromUpdate(update));
  const isContained = (): boolean => {
    return [...wanted].every(([client, clock]) => Y.getState(doc.store, client) >= clock);
  };
  if (isContained()) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      doc.off("update", look);
      resolve();
    };
    const look = (): void => {
      if (isContained()) done();
    };
    const timer = setTimeout(done, arrivalMsMax);
    doc.on("update", look);
  });
}
