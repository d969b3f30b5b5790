import {
  ValueType,
  type LevelEntry,
  type Provenance,
  type SalvagedEntry,
} from "./level-entries.ts";
import { readVarint32 } from "./level-varint.ts";
import { keyLengthsOf } from "./key-kinds.ts";
import { isRecordWhole } from "./record-shape.ts";
import { viewOf } from "./uint32.ts";

/**
 * A block of a table: entries that hold of their keys what these do not share with the one before, then
 * the offsets of those that share nothing (restarts), every 16th or so, and how many those are.
 */
const sequenceBytes = 8;

/** All entries of a block. What is not exact to its end is believed only as far as it proves itself. */
export function* entriesOfBlock(content: Uint8Array, isWhole: boolean): Iterable<SalvagedEntry> {
  const segments = segmentsOf(content);
  if (!segments) return yield* searched(content);
  for (const [from, to] of segments) {
    const { entries, isExact } = parseSegment(content, from, to);
    let provenance: Provenance = isWhole && isExact ? "whole" : "placed";
    for (const entry of entries) {
      if (!isExact && entry.value && !isRecordWhole(entry.key, entry.value)) provenance = "found";
      yield { ...entry, provenance };
    }
  }
}

/** From one restart to the next; `undefined` where the restarts make no sense. */
function segmentsOf(content: Uint8Array): (readonly [number, number])[] | undefined {
  if (content.length < 4) return undefined;
  const view = viewOf(content);
  const count = view.getUint32(content.length - 4, true);
  const end = content.length - 4 * (count + 1);
  if (count === 0 || end < 0) return undefined;
  const starts = Array.from({ length: count }, (_, index) => view.getUint32(end + 4 * index, true));
  const isSound = starts.every((start, index) => {
    return index === 0 ? start === 0 : start > starts[index - 1]! && start < end;
  });
  return isSound ? starts.map((start, index) => [start, starts[index + 1] ?? end]) : undefined;
}

function parseSegment(
  content: Uint8Array,
  from: number,
  to: number,
): { readonly entries: LevelEntry[]; readonly isExact: boolean } {
  const entries: LevelEntry[] = [];
  let key: Uint8Array = new Uint8Array();
  let at = from;
  while (at < to) {
    const parsed = parseEntry(content, at, to, key);
    if (!parsed) return { entries, isExact: false };
    key = parsed.key;
    at = parsed.next;
    entries.push(entryOf(key, parsed.value));
  }
  return { entries, isExact: true };
}

interface ParsedEntry {
  /** With sequence and type. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly next: number;
}

function parseEntry(
  content: Uint8Array,
  at: number,
  to: number,
  before: Uint8Array,
): ParsedEntry | undefined {
  const shared = readVarint32(content, at);
  const own = shared && readVarint32(content, shared[1]);
  const value = own && readVarint32(content, own[1]);
  if (!value || shared[0] > before.length) return undefined;
  const [valueBytes, keyAt] = value;
  const valueAt = keyAt + own[0];
  if (valueAt + valueBytes > to) return undefined;
  const key = new Uint8Array(shared[0] + own[0]);
  if (key.length < sequenceBytes) return undefined;
  key.set(before.subarray(0, shared[0]));
  key.set(content.subarray(keyAt, valueAt), shared[0]);
  const next = valueAt + valueBytes;
  return { key, value: content.subarray(valueAt, next), next };
}

function entryOf(internalKey: Uint8Array, value: Uint8Array): LevelEntry {
  const end = internalKey.length - sequenceBytes;
  const packed = viewOf(internalKey).getBigUint64(end, true);
  // A deletion has no value, whatever became of its type.
  const isValue = Number(packed & 0xffn) === ValueType.value || value.length > 0;
  const key = internalKey.subarray(0, end);
  return { key, sequence: packed >> 8n, value: isValue ? value : undefined };
}

/** By what looks like an entry that shares nothing, and from there on as long as it makes sense. */
function* searched(content: Uint8Array): Iterable<SalvagedEntry> {
  let at = 0;
  while (at < content.length) {
    let key: Uint8Array = new Uint8Array();
    let resumeAt = at + 1;
    for (let from = looksLikeEntry(content, at) ? at : content.length; from < content.length;) {
      const parsed = parseEntry(content, from, content.length, key);
      const entry = parsed && entryOf(parsed.key, parsed.value);
      if (!entry?.value || !isRecordWhole(entry.key, entry.value)) break;
      yield { ...entry, provenance: "found" };
      key = parsed!.key;
      from = parsed!.next;
      resumeAt = from;
    }
    at = resumeAt;
  }
}

/** Whether an entry whose key shares nothing with the one before may begin here. */
export function looksLikeEntry(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 0) return false;
  const keyBytes = bytes[at + 1]! - sequenceBytes;
  const [length, keyAt] = readVarint32(bytes, at + 2) ?? [];
  return length !== undefined && keyLengthsOf(bytes[keyAt!]).includes(keyBytes);
}
