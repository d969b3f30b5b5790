import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { encodeUtf8 } from "lib0/string";

import { concatBytes } from "./bytes.ts";
import type { Hash } from "./environment.ts";
import { malformed, readUint } from "./fields.ts";
import { bytesOfId, laneId, type EnvelopeId, type LaneId } from "./ids.ts";
import { limits } from "./limits.ts";

/** "Everything up to `seq` is held"; `head` is the id of the envelope at `seq`. */
export interface LanePosition {
  readonly seq: number;
  readonly head: EnvelopeId;
}

/** Lane to position, for one document: what is held without gaps. It is the dedup ledger (law 3). */
export type VersionVector = ReadonlyMap<LaneId, LanePosition>;

const digestDomain = encodeUtf8("heddle/log/1");
const entryBytes = 16 + 32;

/** vector := varUint count • (lane 16 • varUint seq • head 32)*, lanes ascending. */
export function encodeVersionVector(vector: VersionVector): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, vector.size);
  for (const [lane, { seq, head }] of sortedEntries(vector)) {
    encoding.writeUint8Array(encoder, bytesOfId(lane));
    encoding.writeVarUint(encoder, seq);
    encoding.writeUint8Array(encoder, head);
  }
  return encoding.toUint8Array(encoder);
}

/** @throws HeddleError `HEDDLE_FRAME_MALFORMED`. */
export function decodeVersionVector(bytes: Uint8Array): VersionVector {
  const vector = new Map<LaneId, LanePosition>();
  try {
    const decoder = decoding.createDecoder(bytes);
    const count = readUint(decoder);
    if (count > limits.lanesPerVectorMax || count * entryBytes > bytes.length) {
      throw new RangeError("more lanes than bytes");
    }
    let laneBefore = "";
    for (let index = 0; index < count; index++) {
      const lane = laneId(decoding.readUint8Array(decoder, 16));
      const seq = readUint(decoder);
      const head = decoding.readUint8Array(decoder, 32).slice();
      if (lane <= laneBefore || seq < 1) throw new RangeError("lanes do not ascend");
      laneBefore = lane;
      vector.set(lane, { seq, head });
    }
    if (decoding.hasContent(decoder)) throw new RangeError("bytes after the last lane");
  } catch (cause) {
    throw malformed("version vector", "it is damaged", cause);
  }
  return vector;
}

/** Digest L: equal exactly when the same envelopes are held. 32 bytes. */
export function logDigest(hash: Hash, vector: VersionVector): Uint8Array {
  return hash.sha256(concatBytes([digestDomain, encodeVersionVector(vector)]));
}

function sortedEntries(vector: VersionVector): [LaneId, LanePosition][] {
  return [...vector].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
