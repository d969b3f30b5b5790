import { ByteArena, writeId, type DocumentId, type LaneId, type StoreId } from "@heddle/core";

import { writeUint32 } from "./uint32.ts";

/** Keys from `gte` on and below `lt`. */
export interface KeyRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}

/** Keys live until their batch is written, or their read is done. */
const arena = new ByteArena();

/** Writes a key part by part. */
export class KeyWriter {
  readonly key: Uint8Array;
  #offset = 1;

  constructor(prefix: number, length: number) {
    this.key = arena.take(1 + length);
    this.key[0] = prefix;
  }

  bytes(bytes: Uint8Array): this {
    this.key.set(bytes, this.#offset);
    this.#offset += bytes.length;
    return this;
  }

  id(id: DocumentId | LaneId | StoreId): this {
    writeId(id, this.key, this.#offset);
    this.#offset += 16;
    return this;
  }

  uint32(value: number): this {
    writeUint32(this.key, this.#offset, value);
    this.#offset += 4;
    return this;
  }

  uint64(value: number): this {
    return this.uint32(Math.floor(value / 2 ** 32)).uint32(value % 2 ** 32);
  }
}

/** All keys that begin with `prefix`, which never ends in 0xff bytes only: it starts with a letter. */
export function keysUnder(prefix: Uint8Array): KeyRange {
  const lt = prefix.slice();
  let last = lt.length - 1;
  while (lt[last] === 0xff) last--;
  lt[last]!++;
  return { gte: prefix, lt: lt.subarray(0, last + 1) };
}
