import { assert, type Hash, HeddleError, HeddleErrorCode } from "@heddle/core/base";
import * as Y from "yjs";

import { ClockRanges } from "./clock-ranges.ts";
import { digestContent } from "./content-digest.ts";
import type { CrdtEngine, LoadedDocument } from "./crdt-engine.ts";
import type { ClientDeletes } from "./parsed-update.ts";
import { digestState } from "./state-digest.ts";
import { decodeStateVector } from "./state-vector.ts";

/** Yjs 13.6, the engine that heddle ships with. */
export const yjsEngine: CrdtEngine = {
  name: "yjs",
  version: "13.6",
  fold(updates, options) {
    const loaded = new YjsDocument(options?.gc ?? true);
    loaded.applyAll(updates);
    return loaded;
  },
};

/**
 * Stops Yjs from answering a remote change of formatted text with a clean-up of its own: that would
 * make the state depend on who received what when (DOC-4). The flag is private to Yjs 13.6; a test
 * holds it in place.
 */
export function suppressRemoteCleanup(doc: Y.Doc): void {
  doc.on("afterTransaction", (transaction) => {
    // oxlint-disable-next-line eslint/no-underscore-dangle -- there is no public switch
    if (!transaction.local) transaction._needFormattingCleanup = false;
  });
}

/** Digests of a document as it is now; `undefined` while something in it refers to what is not there. */
export interface ShownDigests {
  readonly engine: string;
  /** Digest S. */
  readonly state: Uint8Array;
  /** Digest C, where it was asked for. */
  readonly content?: Uint8Array | undefined;
}

/**
 * What an application shows, for comparison. Digest C reads all content: some 5 ms for 250 KB.
 */
export function digestsOf(hash: Hash, doc: Y.Doc, withContent: boolean): ShownDigests | undefined {
  const { store } = doc;
  if (store.pendingStructs !== null || store.pendingDs !== null) return undefined;
  const vector = Y.decodeStateVector(Y.encodeStateVector(doc));
  return {
    engine: `${yjsEngine.name} ${yjsEngine.version}`,
    state: digestState(hash, vector, deletesOf(doc)),
    ...(withContent && { content: new Uint8Array(digestContent(hash, doc)) }),
  };
}

/**
 * Clocks, by client, that a document has integrated while something else in it waits for what is not there;
 * `undefined` when nothing waits.
 */
export function clocksOfPending(doc: Y.Doc): ReadonlyMap<number, number> | undefined {
  const { pendingStructs, pendingDs } = doc.store;
  if (pendingStructs === null && pendingDs === null) return undefined;
  return Y.decodeStateVector(Y.encodeStateVector(doc));
}

function deletesOf(doc: Y.Doc): ClientDeletes[] {
  const deletes: ClientDeletes[] = [];
  for (const [client, items] of Y.createDeleteSetFromStructStore(doc.store).clients) {
    const ranges = new ClockRanges();
    for (const { clock, len } of items) ranges.add(clock, clock + len);
    deletes.push({ client, ranges: ranges.pairs });
  }
  return deletes;
}

export class YjsDocument implements LoadedDocument {
  readonly ydoc: Y.Doc;
  #isBroken = false;

  constructor(gc: boolean) {
    this.ydoc = new Y.Doc({ gc });
    suppressRemoteCleanup(this.ydoc);
  }

  get hasPending(): boolean {
    const { store } = this.ydoc;
    return store.pendingStructs !== null || store.pendingDs !== null;
  }

  apply(update: Uint8Array): void {
    this.applyAll([update]);
  }

  applyAll(updates: Iterable<Uint8Array>): void {
    assert(!this.#isBroken, "a document that failed is not used again");
    try {
      this.ydoc.transact(() => {
        for (const update of updates) Y.applyUpdate(this.ydoc, update);
      });
    } catch (cause) {
      this.#isBroken = true;
      this.ydoc.destroy();
      throw new HeddleError(HeddleErrorCode.updateRefused, "the engine failed on an update", {
        cause,
      });
    }
  }

  encodeState(): Uint8Array {
    return Y.encodeStateAsUpdate(this.ydoc);
  }

  encodeSince(stateVector?: Uint8Array): Uint8Array {
    if (stateVector === undefined || stateVector.length === 0) return this.encodeState();
    decodeStateVector(stateVector);
    return Y.encodeStateAsUpdate(this.ydoc, stateVector);
  }

  encodeStateVector(): Uint8Array {
    return Y.encodeStateVector(this.ydoc);
  }

  digestS(hash: Hash): Uint8Array {
    assert(!this.hasPending, "a digest is taken of complete documents only");
    return digestState(hash, Y.decodeStateVector(this.encodeStateVector()), this.deletes());
  }

  digestC(hash: Hash): Uint8Array {
    assert(!this.hasPending, "a digest is taken of complete documents only");
    return digestContent(hash, this.ydoc);
  }

  deletes(): ClientDeletes[] {
    return deletesOf(this.ydoc);
  }

  destroy(): void {
    this.ydoc.destroy();
  }
}
