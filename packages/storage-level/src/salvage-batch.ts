import {
  ValueType,
  type LevelEntry,
  type Provenance,
  type SalvagedEntry,
} from "./level-entries.ts";
import { readVarint32 } from "./level-varint.ts";
import { keyLengthsOf } from "./key-kinds.ts";
import { isKeyShape, isRecordShape, isRecordWhole } from "./record-shape.ts";
import type { LogPiece } from "./salvage-log-file.ts";

/**
 * A write to LevelDB's log: sequence uint64 • count uint32 (little-endian), then for each entry its type
 * uint8, its key and, for a value, the value, both with their length before them.
 */
const batchHeaderBytes = 12;

interface Parsed extends Omit<LevelEntry, "sequence"> {
  /** Where the next entry begins. */
  readonly next: number;
}

/** Bytes that a search may put through a checksum, for each byte that it searches. */
const searchFactor = 64;

/** @param after the highest sequence that was seen before, for entries that do not know theirs. */
export function* entriesOfPiece(piece: LogPiece, after: bigint): Iterable<SalvagedEntry> {
  const { bytes, hasBeginning, isWhole } = piece;
  let sequence = after + 1n;
  let at = 0;
  if (hasBeginning && bytes.length >= batchHeaderBytes) {
    sequence = sequenceOf(piece, after);
    const { parsed, isExact } = parseFrom(bytes, batchHeaderBytes);
    const provenance: Provenance = isWhole && isExact ? "whole" : "placed";
    at = batchHeaderBytes;
    for (const { key, value, next } of parsed) {
      // Behind a length that is not what it was, everything may be the inside of something else.
      if (!isExact && value && !isRecordWhole(key, value)) break;
      yield { key, value, sequence: sequence++, provenance };
      at = next;
    }
  }
  yield* found(bytes, at, sequence);
}

/** What looks like a key with a record, and is one by its checksum. */
function* found(bytes: Uint8Array, from: number, sequence: bigint): Iterable<SalvagedEntry> {
  let searchBytes = (bytes.length - from) * searchFactor;
  for (let at = search(bytes, from); at < bytes.length; at = search(bytes, at)) {
    const { key, value, next } = parseEntry(bytes, at) ?? {};
    searchBytes -= value?.length ?? 0;
    if (searchBytes < 0) return;
    if (key && value && isRecordWhole(key, value)) {
      yield { key, value, sequence, provenance: "found" };
      at = next!;
    } else {
      at++;
    }
  }
}

/** That of a damaged header may be anything: such entries are not to hide what came later. */
function sequenceOf({ bytes, isWhole }: LogPiece, after: bigint): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sequence = view.getBigUint64(0, true);
  const isLikely = sequence > after && sequence - after < 2n ** 24n;
  return isWhole || (after > 0n && isLikely) ? sequence : after + 1n;
}

/** Entry after entry, as long as keys look like keys; `isExact` when that leads to the very end. */
function parseFrom(bytes: Uint8Array, from: number): { parsed: Parsed[]; isExact: boolean } {
  const parsed: Parsed[] = [];
  let at = from;
  while (at < bytes.length) {
    const entry = parseEntry(bytes, at);
    if (!entry) return { parsed, isExact: false };
    parsed.push(entry);
    at = entry.next;
  }
  return { parsed, isExact: true };
}

function parseEntry(bytes: Uint8Array, at: number): Parsed | undefined {
  const type = bytes[at]!;
  if (type !== ValueType.value && type !== ValueType.deletion) return undefined;
  const key = sized(bytes, at + 1);
  if (!key || !isKeyShape(key.bytes)) return undefined;
  if (type === ValueType.deletion) {
    return { key: key.bytes, value: undefined, next: key.next };
  }
  const value = sized(bytes, key.next);
  return value && { key: key.bytes, value: value.bytes, next: value.next };
}

function sized(bytes: Uint8Array, at: number): { bytes: Uint8Array; next: number } | undefined {
  const [length, from] = readVarint32(bytes, at) ?? [];
  if (length === undefined || from === undefined || from + length > bytes.length) return undefined;
  return { bytes: bytes.subarray(from, from + length), next: from + length };
}

/** The next place from `from` on that looks like a key with a record; the end when there is none. */
function search(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    if (bytes[at] !== ValueType.value) continue;
    const keyBytes = bytes[at + 1]!;
    if (!keyLengthsOf(bytes[at + 2]).includes(keyBytes)) continue;
    const [length, value] = readVarint32(bytes, at + 2 + keyBytes) ?? [];
    if (length !== undefined && isRecordShape(bytes, value!, length)) return at;
  }
  return bytes.length;
}
