import type { Hash } from "@heddle/core";

import type { ClientDeletes } from "./parsed-update.ts";

/** A document in memory, built by an engine. After a throw from `apply` only `destroy` may follow. */
export interface LoadedDocument {
  /**
   * Applies a validated V1 update; creates no operations (DOC-4).
   *
   * @throws HeddleError `HEDDLE_UPDATE_REFUSED` when the engine fails: throw the document away.
   */
  apply(update: Uint8Array): void;
  /** All of it as one V1 update. */
  encodeState(): Uint8Array;
  /** @throws HeddleError `HEDDLE_FRAME_MALFORMED` when the vector cannot be read. */
  encodeSince(stateVector?: Uint8Array): Uint8Array;
  encodeStateVector(): Uint8Array;
  /** What is deleted, derived deletes included. */
  deletes(): ClientDeletes[];
  /** Something applied refers to what is not there yet. */
  readonly hasPending: boolean;
  /**
   * Digest S, 32 bytes: equal on documents that hold the same operations and deletes. Must not be
   * asked for while {@link hasPending}.
   */
  digestS(hash: Hash): Uint8Array;
  /**
   * Digest C, 32 bytes: equal on documents whose operations hold the same content. Must not be asked
   * for while {@link hasPending}.
   */
  digestC(hash: Hash): Uint8Array;
  destroy(): void;
}

export interface FoldOptions {
  /** Drop the content of what was deleted, as Yjs does unless told otherwise. Default true. */
  readonly gc?: boolean;
}

/** The CRDT behind the log. Digests of different engines or versions are not comparable. */
export interface CrdtEngine {
  readonly name: string;
  readonly version: string;
  /**
   * Builds the document that the updates add up to, in one transaction.
   *
   * @throws HeddleError `HEDDLE_UPDATE_REFUSED` when the engine fails on them.
   */
  fold(updates: Iterable<Uint8Array>, options?: FoldOptions): LoadedDocument;
}
