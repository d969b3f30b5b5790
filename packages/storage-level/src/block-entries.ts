import type { Handle } from "./level-table-format.ts";
import { unpackSnappy } from "./snappy.ts";

/** A block of a table as LevelDB reads it, whatever is in it: without a look at its checksum. */

export interface BlockEntry {
  readonly offset: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Bytes of the key that are those of the one before. */
  readonly shared: number;
  /** Offset of the entry that follows. */
  readonly next: number;
}

const snappyBytesMax = 256 * 1024 * 1024;

/** `undefined` where LevelDB finds no content. */
export function contentOf(file: Uint8Array, { offset, size }: Handle): Uint8Array | undefined {
  const content = file.subarray(offset, offset + size);
  const type = file[offset + size];
  if (type === 0) return content;
  if (type !== 1) return undefined;
  try {
    return unpackSnappy(content, snappyBytesMax);
  } catch {
    return undefined; // LevelDB cannot unpack it either.
  }
}

export interface Restarts {
  readonly offsets: readonly number[];
  /** Where the entries end. */
  readonly end: number;
}

/** `undefined` for a block that LevelDB takes for an error. */
export function restartsIn(block: Uint8Array): Restarts | undefined {
  if (block.length < 4) return undefined;
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const count = view.getUint32(block.length - 4, true);
  if (count > (block.length - 4) / 4) return undefined;
  const end = block.length - 4 * (count + 1);
  const offsets = Array.from({ length: count }, (_, at) => view.getUint32(end + 4 * at, true));
  return { offsets, end };
}

export function* entriesFrom(
  block: Uint8Array,
  offset: number,
  end: number,
): Iterable<BlockEntry | "dangerous"> {
  let key: Uint8Array = new Uint8Array();
  for (let at = offset; at < end;) {
    const entry = entryAt(block, at, end, key);
    if (entry) yield entry;
    if (!entry || entry === "dangerous") return;
    key = entry.key;
    at = entry.next;
  }
}

/**
 * `undefined` where LevelDB takes what is there for an error, `dangerous` where it would read beyond the block.
 */
export function entryAt(
  block: Uint8Array,
  offset: number,
  end: number,
  before: Uint8Array,
): BlockEntry | "dangerous" | undefined {
  if (end - offset < 3) return undefined;
  const reader = { block, at: offset, end };
  const shared = readUint32(reader);
  const ownBytes = readUint32(reader);
  const valueBytes = readUint32(reader);
  if (shared === undefined || ownBytes === undefined || valueBytes === undefined) return undefined;
  const next = reader.at + ownBytes + valueBytes;
  if (next > end) {
    // LevelDB adds them in 32 bits.
    return reader.at + ((ownBytes + valueBytes) >>> 0) > end ? undefined : "dangerous";
  }
  if (shared > before.length) return undefined;
  const key = new Uint8Array(shared + ownBytes);
  key.set(before.subarray(0, shared));
  key.set(block.subarray(reader.at, reader.at + ownBytes), shared);
  const value = block.subarray(next - valueBytes, next);
  return { offset, key, value, shared, next };
}

/** As LevelDB reads it: five bytes at most, and what is above 32 bits falls off. */
function readUint32(reader: { block: Uint8Array; at: number; end: number }): number | undefined {
  let result = 0;
  for (let shift = 0; shift <= 28 && reader.at < reader.end; shift += 7) {
    const byte = reader.block[reader.at++]!;
    result = (result | ((byte & 127) << shift)) >>> 0;
    if (byte < 128) return result;
  }
  return undefined;
}
