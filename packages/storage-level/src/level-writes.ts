import * as decoding from "lib0/decoding";

import { entriesFrom, restartsIn } from "./block-entries.ts";
import { internalTrailerBytes, trailerOf } from "./internal-key.ts";
import { blockAt, faultIn, handlesIn, readFooter } from "./level-table-format.ts";

/** What was written to LevelDB: enough of it to tell which writes a file holds. */
export interface LevelWrite {
  readonly sequence: bigint;
  readonly key: Uint8Array;
  readonly isDeletion: boolean;
}

/** Sequence of its first entry and how many there are. */
const batchHeaderBytes = 12;
const deletion = 0;

/** One record of a log of LevelDB is one write; what is too short to be one holds nothing. */
export function* writesOfBatch(batch: Uint8Array): Iterable<LevelWrite> {
  if (batch.length < batchHeaderBytes) return;
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  let sequence = view.getBigUint64(0, true);
  const decoder = decoding.createDecoder(batch.subarray(batchHeaderBytes));
  while (decoding.hasContent(decoder)) {
    const isDeletion = decoding.readUint8(decoder) === deletion;
    const key = decoding.readVarUint8Array(decoder);
    if (!isDeletion) decoding.readVarUint8Array(decoder);
    yield { sequence: sequence++, key, isDeletion };
  }
}

/**
 * Of the blocks of a table that are whole.
 *
 * @throws Error when not even the index can be read.
 */
export function* writesOfTable(file: Uint8Array): Iterable<LevelWrite> {
  const { index } = readFooter(file);
  for (const handle of handlesIn(blockAt(file, index, "index"))) {
    if (faultIn(file, handle).length > 0) continue;
    const block = blockAt(file, handle, "block");
    for (const entry of entriesFrom(block, 0, restartsIn(block)?.end ?? 0)) {
      if (entry === "dangerous" || entry.key.length < internalTrailerBytes) break;
      const { sequence, type } = trailerOf(entry.key);
      const key = entry.key.subarray(0, entry.key.length - internalTrailerBytes);
      yield { sequence, key, isDeletion: type === deletion };
    }
  }
}
