import * as decoding from "lib0/decoding";

import { readLevelLog } from "./level-log-format.ts";
import { blocksOf } from "./level-table-format.ts";

/** One version of one key, as LevelDB keeps it in its files. */
export interface LevelEntry {
  readonly key: Uint8Array;
  /** Rises with every write; the highest one of a key counts. */
  readonly sequence: bigint;
  /** `undefined` for a deletion. */
  readonly value: Uint8Array | undefined;
}

const trailerBytes = 8;
const ValueType = { deletion: 0, value: 1 } as const;

/** What can be read of a table, block by block; blocks that are damaged are left out. */
export function* entriesOfTable(file: Uint8Array): Iterable<LevelEntry> {
  for (const block of blocksOf(file)) yield* entriesOfBlock(block);
}

/** A block holds keys by what they do not share with the one before. */
function* entriesOfBlock(block: Uint8Array): Iterable<LevelEntry> {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const restarts = view.getUint32(block.length - 4, true);
  const decoder = decoding.createDecoder(block.subarray(0, block.length - 4 * (restarts + 1)));
  let key: Uint8Array = new Uint8Array();
  while (decoding.hasContent(decoder)) {
    const shared = decoding.readVarUint(decoder);
    const ownBytes = decoding.readVarUint(decoder);
    const valueBytes = decoding.readVarUint(decoder);
    const own = decoding.readUint8Array(decoder, ownBytes);
    const next = new Uint8Array(shared + ownBytes);
    next.set(key.subarray(0, shared));
    next.set(own, shared);
    key = next;
    const value = decoding.readUint8Array(decoder, valueBytes);
    const end = key.length - trailerBytes;
    const trailer = new DataView(key.buffer, key.byteOffset + end, trailerBytes);
    const packed = trailer.getBigUint64(0, true);
    const isValue = Number(packed & 0xffn) === ValueType.value;
    yield {
      key: key.slice(0, end),
      sequence: packed >> 8n,
      value: isValue ? value.slice() : undefined,
    };
  }
}

/** What can be read of one of LevelDB's logs, past what is damaged in it. */
export function* entriesOfLog(file: Uint8Array): Iterable<LevelEntry> {
  for (const batch of readLevelLog(file).records) {
    if (batch.length < 12) continue;
    const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
    let sequence = view.getBigUint64(0, true);
    const decoder = decoding.createDecoder(batch.subarray(12));
    while (decoding.hasContent(decoder)) {
      const type = decoding.readUint8(decoder);
      const key = decoding.readVarUint8Array(decoder).slice();
      const value =
        type === ValueType.value ? decoding.readVarUint8Array(decoder).slice() : undefined;
      yield { key, sequence: sequence++, value };
    }
  }
}
