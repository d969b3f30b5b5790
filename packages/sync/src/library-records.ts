import {
  assert,
  bytesOfId,
  concatBytes,
  documentId,
  type DocumentId,
  type Hash,
} from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

import { libraryShape, type LibraryEntry } from "./library-node.ts";

/** record := placement 16 • document 16 • digest 16. */
const placementBytes = 16;
const keyBytes = placementBytes + 16;
export const recordBytes = keyBytes + libraryShape.hashBytes;

const placementDomain = encodeUtf8("heddle/library/place/1");

/**
 * Where a document is in every library of its space: spread evenly, whatever ids somebody chooses, and
 * followed by the id. 32 bytes.
 */
export function libraryKey(hash: Hash, salt: Uint8Array, document: DocumentId): Uint8Array {
  const id = bytesOfId(document);
  const placement = hash.sha256(concatBytes([placementDomain, salt, id]));
  return concatBytes([placement.subarray(0, placementBytes), id]);
}

/** The hex digit of a key, or of a record, at `depth`. */
export function digitAt(key: Uint8Array, depth: number): number {
  const byte = key[depth >> 1]!;
  return depth % 2 === 0 ? byte >> 4 : byte & 15;
}

export function startsWith(key: Uint8Array, prefix: string): boolean {
  for (let depth = 0; depth < prefix.length; depth++) {
    if (digitAt(key, depth).toString(16) !== prefix[depth]) return false;
  }
  return true;
}

/**
 * Documents of one leaf in one array, by their keys. A library has very many, and an object for each would
 * take several times as much.
 */
export class LibraryRecords {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    assert(bytes.length % recordBytes === 0, "records are whole");
    this.bytes = bytes;
  }

  static join(parts: readonly LibraryRecords[]): LibraryRecords {
    return new LibraryRecords(concatBytes(parts.map(({ bytes }) => bytes)));
  }

  get count(): number {
    return this.bytes.length / recordBytes;
  }

  keyAt(index: number): Uint8Array {
    const start = index * recordBytes;
    return this.bytes.subarray(start, start + keyBytes);
  }

  documentAt(index: number): DocumentId {
    const start = index * recordBytes;
    return documentId(this.bytes.subarray(start + placementBytes, start + keyBytes));
  }

  /** Of 16 bytes, a view. */
  digestAt(index: number): Uint8Array {
    const start = index * recordBytes;
    return this.bytes.subarray(start + keyBytes, start + recordBytes);
  }

  /** Document and digest, as leaves are hashed; a view. */
  hashedAt(index: number): Uint8Array {
    const start = index * recordBytes;
    return this.bytes.subarray(start + placementBytes, start + recordBytes);
  }

  entryAt(index: number): LibraryEntry {
    return { document: this.documentAt(index), digest: this.digestAt(index).slice() };
  }

  /** Where `key` is, or would be. */
  find(key: Uint8Array): { readonly index: number; readonly isThere: boolean } {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = this.#compare(middle, key);
      if (order === 0) return { index: middle, isThere: true };
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return { index: low, isThere: false };
  }

  /** Order of the record at `index` and `key`; placements are random, so the first bytes tell. */
  #compare(index: number, key: Uint8Array): number {
    const start = index * recordBytes;
    for (let at = 0; at < keyBytes; at++) {
      const difference = this.bytes[start + at]! - key[at]!;
      if (difference !== 0) return difference;
    }
    return 0;
  }

  with(key: Uint8Array, digest: Uint8Array): LibraryRecords {
    const { index, isThere } = this.find(key);
    const start = index * recordBytes;
    const end = isThere ? start + recordBytes : start;
    const rest = this.bytes.subarray(end);
    return new LibraryRecords(concatBytes([this.bytes.subarray(0, start), key, digest, rest]));
  }

  without(key: Uint8Array): LibraryRecords {
    const { index, isThere } = this.find(key);
    if (!isThere) return this;
    const start = index * recordBytes;
    const parts = [this.bytes.subarray(0, start), this.bytes.subarray(start + recordBytes)];
    return new LibraryRecords(concatBytes(parts));
  }

  /** Those whose keys have this digit at `depth`; all of them share what comes before. */
  withDigit(depth: number, digit: number): LibraryRecords {
    return this.filter((index) => digitAt(this.keyAt(index), depth) === digit);
  }

  under(prefix: string): LibraryRecords {
    return this.filter((index) => startsWith(this.keyAt(index), prefix));
  }

  filter(isIn: (index: number) => boolean): LibraryRecords {
    const parts: Uint8Array[] = [];
    for (let index = 0; index < this.count; index++) {
      const start = index * recordBytes;
      if (isIn(index)) parts.push(this.bytes.subarray(start, start + recordBytes));
    }
    return new LibraryRecords(concatBytes(parts));
  }
}

export const noRecords = new LibraryRecords(new Uint8Array(0));
