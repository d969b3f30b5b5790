import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { encodeUtf8 } from "lib0/string";

import { concatBytes } from "./bytes.ts";
import type { Hash } from "./environment.ts";
import { malformed, readUint } from "./fields.ts";
import { bytesOfId, laneId, type LaneId } from "./ids.ts";
import { limits } from "./limits.ts";
import type { LanePosition, VersionVector } from "./version-vector.ts";

/**
 * What a checkpoint covers: the vector, and for each lane the Yjs clients whose structs came in it
 * first. Once the envelopes are gone, this is what still says who a client was.
 */
export interface CheckpointVector {
  readonly vector: VersionVector;
  readonly clients: ReadonlyMap<LaneId, readonly number[]>;
}

const hashDomain = encodeUtf8("heddle/ckpt-vector/1");
/** Chunks are a little longer than this at most: an entry is not split, and is never longer. */
const chunkBytesMax = 48 * 1024;
const clientsPerEntryMax = 1024;
const entryBytesMin = 16 + 1 + 32 + 1;

/**
 * chunk := (lane 16 • varUint seq • head 32 • varUint clients • (varUint client)*)*
 *
 * Lanes ascend. A lane with very many clients has several entries, side by side.
 */
export function encodeCheckpointVector({ vector, clients }: CheckpointVector): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  let encoder = encoding.createEncoder();
  const cut = (): void => {
    if (encoding.length(encoder) > 0) chunks.push(encoding.toUint8Array(encoder));
    encoder = encoding.createEncoder();
  };
  for (const [lane, position] of [...vector].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const ofLane = clients.get(lane) ?? [];
    for (let from = 0; from === 0 || from < ofLane.length; from += clientsPerEntryMax) {
      if (encoding.length(encoder) >= chunkBytesMax) cut();
      writeEntry(encoder, lane, position, ofLane.slice(from, from + clientsPerEntryMax));
    }
  }
  cut();
  return chunks;
}

/**
 * Reads what {@link encodeCheckpointVector} wrote.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`.
 */
export function decodeCheckpointVector(chunks: readonly Uint8Array[]): CheckpointVector {
  const vector = new Map<LaneId, LanePosition>();
  const clients = new Map<LaneId, number[]>();
  let before = "";
  try {
    for (const chunk of chunks) {
      const decoder = decoding.createDecoder(chunk);
      while (decoding.hasContent(decoder)) {
        const { lane, position, ofLane } = readEntry(decoder);
        if (lane < before) throw new RangeError("lanes do not ascend");
        before = lane;
        vector.set(lane, position);
        if (vector.size > limits.lanesPerVectorMax) throw new RangeError("too many lanes");
        if (ofLane.length > 0) clients.set(lane, [...(clients.get(lane) ?? []), ...ofLane]);
      }
    }
  } catch (cause) {
    throw malformed("checkpoint vector", "it is damaged", cause);
  }
  return { vector, clients };
}

/**
 * Cuts a vector that was joined, as it is on the wire, into chunks again: between entries, none of which
 * is changed.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`.
 */
export function splitCheckpointVector(joined: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const decoder = decoding.createDecoder(joined);
  let from = 0;
  try {
    while (decoding.hasContent(decoder)) {
      readEntry(decoder);
      if (decoder.pos - from < chunkBytesMax && decoding.hasContent(decoder)) continue;
      chunks.push(joined.slice(from, decoder.pos));
      from = decoder.pos;
    }
  } catch (cause) {
    throw malformed("checkpoint vector", "it is damaged", cause);
  }
  return chunks;
}

/** 32 bytes over all chunks in their order. */
export function hashCheckpointVector(hash: Hash, chunks: readonly Uint8Array[]): Uint8Array {
  return hash.sha256(concatBytes([hashDomain, ...chunks]));
}

function writeEntry(
  encoder: encoding.Encoder,
  lane: LaneId,
  { seq, head }: LanePosition,
  clients: readonly number[],
): void {
  encoding.writeUint8Array(encoder, bytesOfId(lane));
  encoding.writeVarUint(encoder, seq);
  encoding.writeUint8Array(encoder, head);
  encoding.writeVarUint(encoder, clients.length);
  for (const client of clients) encoding.writeVarUint(encoder, client);
}

function readEntry(decoder: decoding.Decoder): {
  lane: LaneId;
  position: LanePosition;
  ofLane: number[];
} {
  if (decoder.arr.length - decoder.pos < entryBytesMin) throw new RangeError("an entry is short");
  const lane = laneId(decoding.readUint8Array(decoder, 16));
  const seq = readUint(decoder);
  if (seq < 1) throw new RangeError("a lane without envelopes");
  const head = decoding.readUint8Array(decoder, 32).slice();
  const count = readUint(decoder);
  if (count > clientsPerEntryMax) throw new RangeError("too many clients in one entry");
  const ofLane = Array.from({ length: count }, () => readUint(decoder));
  return { lane, position: { seq, head }, ofLane };
}
