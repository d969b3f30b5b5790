import {
  assert,
  bytesOfId,
  concatBytes,
  decodeEnvelope,
  equalBytes,
  malformed,
  readFields,
  writeBytesField,
  writeUintField,
  type DocumentId,
  type Envelope,
  type EnvelopeId,
  type Hash,
  type LaneDescriptor,
  type SpaceId,
} from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import { partsOfShortForm, shortForm, shortFormMin, type EnvelopeParts } from "./short-envelope.ts";

/**
 * An envelope without what a PUSH says once for all of its envelopes: space, document, lane, seq and
 * prev, 100 bytes of some 200. These are tags 3 to 7 and stand together, so packing cuts them out and
 * unpacking puts them back. The rest travels as it is, or where its first byte is 64 or more in the
 * short form; a version of an envelope is lower. Either way it is put together byte for byte, because
 * hashes cover bytes.
 */
const firstTag = 3;
const lastTag = 7;
const versionBytes = 2;

export interface PushPlace {
  readonly space: SpaceId;
  readonly document: DocumentId;
  readonly lane: Pick<LaneDescriptor, "id" | "openedAt">;
}

export function packEnvelope(envelope: Envelope, lane: PushPlace["lane"]): Uint8Array {
  const short = shortForm(envelope, lane.openedAt);
  const { space, document, seq, prev } = envelope;
  if (short !== undefined) {
    const parts = partsOfShortForm(short, lane.openedAt);
    const put = putTogether(parts, { space, document, lane }, seq, prev);
    // Fields that this version skips have no place in the short form.
    if (equalBytes(put, envelope.bytes)) return short;
  }
  const { start, end } = placeFieldsIn(envelope.bytes);
  assert(start < end, "an envelope says its place");
  return concatBytes([envelope.bytes.subarray(0, start), envelope.bytes.subarray(end)]);
}

/**
 * Puts a run of packed envelopes back together, each naming the one before. `firstSeq` is 1 at least.
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
  const envelopes: Envelope[] = [];
  let prev = run.prev;
  for (const [index, packed] of run.packed.entries()) {
    const parts = partsOf(packed, place);
    const bytes = putTogether(parts, place, run.firstSeq + index, prev);
    const envelope = decodeEnvelope(hash, bytes);
    envelopes.push(envelope);
    prev = envelope.id;
  }
  return envelopes;
}

function partsOf(packed: Uint8Array, { lane }: PushPlace): EnvelopeParts {
  if (packed.length < versionBytes) throw malformed("push", "an envelope is empty");
  if (packed[0]! >= shortFormMin) return partsOfShortForm(packed, lane.openedAt);
  const { start, end } = placeFieldsIn(packed);
  if (start !== end) throw malformed("push", "an envelope says its place twice");
  return { head: packed.subarray(0, start), tail: packed.subarray(start) };
}

function putTogether(
  { head, tail }: EnvelopeParts,
  { space, document, lane }: PushPlace,
  seq: number,
  prev: EnvelopeId,
): Uint8Array {
  const encoder = encoding.createEncoder();
  writeBytesField(encoder, firstTag, bytesOfId(space));
  writeBytesField(encoder, 4, bytesOfId(document));
  writeBytesField(encoder, 5, bytesOfId(lane.id));
  writeUintField(encoder, 6, seq);
  writeBytesField(encoder, lastTag, prev);
  return concatBytes([head, encoding.toUint8Array(encoder), tail]);
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
