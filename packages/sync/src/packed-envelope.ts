import {
  assert,
  bytesOfId,
  concatBytes,
  decodeEnvelope,
  malformed,
  readFields,
  writeBytesField,
  writeUintField,
  type DocumentId,
  type Envelope,
  type EnvelopeId,
  type Hash,
  type LaneId,
  type SpaceId,
} from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

/**
 * An envelope without what a PUSH says once for all of its envelopes: space, document, lane, seq and
 * prev, 100 bytes of some 200. These are tags 3 to 7 and stand together, so packing cuts them out and
 * unpacking puts them back; all other bytes travel as they are, because hashes cover them.
 */
const firstTag = 3;
const lastTag = 7;
const versionBytes = 2;

export interface PushPlace {
  readonly space: SpaceId;
  readonly document: DocumentId;
  readonly lane: LaneId;
}

export function packEnvelope(envelope: Envelope): Uint8Array {
  const { start, end } = placeFieldsIn(envelope.bytes);
  assert(start < end, "an envelope says its place");
  return concatBytes([envelope.bytes.subarray(0, start), envelope.bytes.subarray(end)]);
}

/**
 * Puts a run of packed envelopes back together, each naming the one before.
 *
 * @throws HeddleError as `decodeEnvelope` does.
 */
export function unpackEnvelopes(
  hash: Hash,
  place: PushPlace,
  run: {
    readonly firstSeq: number;
    readonly prev: EnvelopeId;
    readonly packed: readonly Uint8Array[];
  },
): Envelope[] {
  if (run.firstSeq < 1) throw malformed("push", "sequences start at 1");
  const envelopes: Envelope[] = [];
  let prev = run.prev;
  for (const [index, packed] of run.packed.entries()) {
    const seq = run.firstSeq + index;
    const envelope = decodeEnvelope(hash, unpacked(packed, place, seq, prev));
    envelopes.push(envelope);
    prev = envelope.id;
  }
  return envelopes;
}

function unpacked(
  packed: Uint8Array,
  { space, document, lane }: PushPlace,
  seq: number,
  prev: EnvelopeId,
): Uint8Array {
  if (packed.length < versionBytes) throw malformed("push", "an envelope is empty");
  const { start, end } = placeFieldsIn(packed);
  if (start !== end) throw malformed("push", "an envelope says its place twice");
  const encoder = encoding.createEncoder();
  writeBytesField(encoder, firstTag, bytesOfId(space));
  writeBytesField(encoder, 4, bytesOfId(document));
  writeBytesField(encoder, 5, bytesOfId(lane));
  writeUintField(encoder, 6, seq);
  writeBytesField(encoder, lastTag, prev);
  return concatBytes([
    packed.subarray(0, start),
    encoding.toUint8Array(encoder),
    packed.subarray(start),
  ]);
}

/** Where the fields of the place lie, or would lie. */
function placeFieldsIn(bytes: Uint8Array): { readonly start: number; readonly end: number } {
  let start = bytes.length;
  let end = bytes.length;
  const decoder = decoding.createDecoder(bytes.subarray(versionBytes));
  readFields("push", decoder, (tag, _value, offset) => {
    if (tag >= firstTag) start = Math.min(start, versionBytes + offset);
    if (tag > lastTag) end = Math.min(end, versionBytes + offset);
    return true;
  });
  return { start, end };
}
