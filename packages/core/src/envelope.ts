import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { encodeUtf8 } from "lib0/string";

import { assert } from "./assert.ts";
import { ByteArena } from "./byte-arena.ts";
import { concatBytes } from "./bytes.ts";
import type { Hash } from "./environment.ts";
import { HeddleError, HeddleErrorCode } from "./errors.ts";
import { FieldWriter } from "./field-writer.ts";
import { Fields, malformed, readFields, tooNew, writeBytesField } from "./fields.ts";
import { decodeHlc, type Hlc } from "./hybrid-clock.ts";
import {
  documentId,
  laneId,
  spaceId,
  type DocumentId,
  type EnvelopeId,
  type LaneId,
  type SpaceId,
} from "./ids.ts";
import { limits } from "./limits.ts";

/** What an envelope is about. Numbers are part of the format. */
export const EnvelopeKind = { update: 1, laneClose: 2, documentControl: 3 } as const;
export type EnvelopeKind = (typeof EnvelopeKind)[keyof typeof EnvelopeKind];

/** How the payload is written. */
export const PayloadCodec = { none: 0, yjsV1: 1 } as const;
export type PayloadCodec = (typeof PayloadCodec)[keyof typeof PayloadCodec];

export interface EnvelopeContent {
  readonly kind: EnvelopeKind;
  /** Bits of {@link EnvelopeFlag}. */
  readonly flags: number;
  readonly space: SpaceId;
  readonly document: DocumentId;
  readonly lane: LaneId;
  /** Position in the lane of this document, from 1. */
  readonly seq: number;
  /** Id of the envelope at `seq - 1`; 32 zero bytes at `seq` 1. */
  readonly prev: EnvelopeId;
  readonly hlc: Hlc;
  /** Membership epoch, which also selects the content key; 0 in the open space. */
  readonly epoch: number;
  /** Version of the application's schema; 0 when it has none. */
  readonly schema: number;
  readonly codec: PayloadCodec;
  readonly payload: Uint8Array;
  /** At most 16 bytes, supplied by the application. */
  readonly correlationId?: Uint8Array | undefined;
  /** UTF-8: who a gateway says wrote this. */
  readonly principal?: Uint8Array | undefined;
  /** UTF-8: why, in the application's words. */
  readonly reason?: Uint8Array | undefined;
  /**
   * At most 16 bytes: which connection a gateway took this from, as far as the same gateway, while it
   * runs, can tell. Equal for one connection; what it shares with others shares an address.
   */
  readonly sourceTag?: Uint8Array | undefined;
}

/** An envelope together with the bytes that it was read from or written as. */
export interface Envelope extends EnvelopeContent {
  readonly id: EnvelopeId;
  /** 64 bytes of Ed25519 over `id`; only the last envelope of a run carries one. */
  readonly signature?: Uint8Array | undefined;
  /** The whole encoding, signature included. Hashes and signatures cover these bytes as received. */
  readonly bytes: Uint8Array;
}

export const envelopeVersion = 1;

/** Tags of the fields, in the order in which they are written. Never reused. */
const Tag = {
  kind: 1,
  flags: 2,
  space: 3,
  document: 4,
  lane: 5,
  seq: 6,
  prev: 7,
  hlc: 8,
  epoch: 9,
  schema: 10,
  codec: 11,
  payload: 12,
  correlationId: 32,
  principal: 33,
  reason: 34,
  sourceTag: 35,
  /** Always last, so that everything before it can be hashed in one piece. */
  signature: 127,
} as const;
const knownTags: ReadonlySet<number> = new Set(Object.values(Tag));
const idDomain = encodeUtf8("heddle/env/1");

/** envelope := uint8 version • uint8 lowest version of a reader • field* . See docs/protocol.md. */
export function encodeEnvelope(hash: Hash, content: EnvelopeContent): Envelope {
  assert(content.payload.length <= limits.updateBytesMax, "a payload keeps its cap");
  assert(content.seq >= 1, "sequences start at 1");
  assert(content.prev.length === 32, "an envelope id is 32 bytes");
  assertLengthMax(content.correlationId, limits.correlationIdBytesMax);
  assertLengthMax(content.principal, limits.principalBytesMax);
  assertLengthMax(content.reason, limits.reasonBytesMax);
  assertLengthMax(content.sourceTag, limits.sourceTagBytesMax);
  const { payload, correlationId, principal, reason, sourceTag } = content;
  const room = arena.take(headerRoom + payload.length + lengthOfOptional(content));
  writer.begin(room);
  // The id is a hash over its domain and the encoding: written in one piece, they are hashed in one.
  writer.raw(idDomain);
  writer.uint8(envelopeVersion);
  writer.uint8(envelopeVersion);
  writer.uintField(Tag.kind, content.kind);
  writer.uintField(Tag.flags, content.flags);
  writer.idField(Tag.space, content.space);
  writer.idField(Tag.document, content.document);
  writer.idField(Tag.lane, content.lane);
  writer.uintField(Tag.seq, content.seq);
  writer.bytesField(Tag.prev, content.prev);
  writer.hlcField(Tag.hlc, content.hlc);
  writer.uintField(Tag.epoch, content.epoch);
  writer.uintField(Tag.schema, content.schema);
  writer.uintField(Tag.codec, content.codec);
  writer.bytesField(Tag.payload, payload);
  if (correlationId) writer.bytesField(Tag.correlationId, correlationId);
  if (principal) writer.bytesField(Tag.principal, principal);
  if (reason) writer.bytesField(Tag.reason, reason);
  if (sourceTag) writer.bytesField(Tag.sourceTag, sourceTag);
  const id = hash.sha256(room.subarray(0, writer.length));
  return {
    kind: content.kind,
    flags: content.flags,
    space: content.space,
    document: content.document,
    lane: content.lane,
    seq: content.seq,
    prev: content.prev,
    hlc: content.hlc,
    epoch: content.epoch,
    schema: content.schema,
    codec: content.codec,
    payload,
    correlationId,
    principal,
    reason,
    sourceTag,
    id,
    bytes: room.subarray(idDomain.length, writer.length),
  };
}

/** Room for the domain of the id and all fields but the payload and those that may be left out. */
const headerRoom = 224;
const arena = new ByteArena();
/** One for all: an envelope is written in one go. */
const writer = new FieldWriter();

function lengthOfOptional(content: EnvelopeContent): number {
  const { correlationId, principal, reason, sourceTag } = content;
  const ofIds = lengthOf(correlationId) + lengthOf(sourceTag);
  return ofIds + lengthOf(principal) + lengthOf(reason);
}

function lengthOf(bytes: Uint8Array | undefined): number {
  return bytes ? bytes.length + 8 : 0;
}

/**
 * Reads what {@link encodeEnvelope} wrote. Nothing in `bytes` is trusted: every length is capped,
 * views are taken instead of copies, and all bytes must be used.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`, `HEDDLE_FRAME_TOO_LARGE` or `HEDDLE_PROTOCOL_VERSION`.
 */
export function decodeEnvelope(hash: Hash, bytes: Uint8Array): Envelope {
  if (bytes.length > limits.updateBytesMax + limits.envelopeHeaderBytesMax) {
    throw new HeddleError(HeddleErrorCode.frameTooLarge, "an envelope is larger than the cap");
  }
  if (bytes.length < 2) throw malformed("envelope", "it is empty");
  if (bytes[0]! < 1 || bytes[1]! < 1) throw malformed("envelope", "it has no version");
  if (bytes[1]! > envelopeVersion) throw tooNew("envelope", `version ${bytes[1]!}`);
  const fields = new Fields("envelope");
  let signedLength = bytes.length;
  readFields("envelope", decoding.createDecoder(bytes.subarray(2)), (tag, value, offset) => {
    if (tag > Tag.signature) throw malformed("envelope", "a field follows the signature");
    if (tag === Tag.signature) signedLength = offset + 2;
    fields.set(tag, value);
    return knownTags.has(tag);
  });
  const content = readContent(fields);
  if (bytes.length - content.payload.length > limits.envelopeHeaderBytesMax) {
    throw new HeddleError(HeddleErrorCode.frameTooLarge, "an envelope's header is over the cap");
  }
  return {
    ...content,
    id: envelopeIdOf(hash, bytes.subarray(0, signedLength)),
    signature: signedLength < bytes.length ? fields.bytes(Tag.signature, 64) : undefined,
    bytes,
  };
}

function readContent(fields: Fields): EnvelopeContent {
  const kind = fields.uint(Tag.kind);
  if (kind < 1) throw malformed("envelope", "it has no kind");
  if (kind > EnvelopeKind.documentControl) throw tooNew("envelope", `kind ${kind}`);
  const codec = fields.uint(Tag.codec);
  if (codec > PayloadCodec.yjsV1) throw tooNew("envelope", `codec ${codec}`);
  const seq = fields.uint(Tag.seq);
  if (seq < 1) throw malformed("envelope", "it has no sequence number");
  const payload = fields.optionalBytes(Tag.payload, limits.updateBytesMax);
  if (payload === undefined) throw malformed("envelope", "it has no payload");
  return {
    kind: kind as EnvelopeKind,
    flags: fields.uint(Tag.flags),
    space: spaceId(fields.bytes(Tag.space, 16)),
    document: documentId(fields.bytes(Tag.document, 16)),
    lane: laneId(fields.bytes(Tag.lane, 16)),
    seq,
    prev: fields.bytes(Tag.prev, 32),
    hlc: decodeHlc(fields.bytes(Tag.hlc, 8)),
    epoch: fields.uint(Tag.epoch),
    schema: fields.uint(Tag.schema),
    codec: codec as PayloadCodec,
    payload,
    correlationId: fields.optionalBytes(Tag.correlationId, limits.correlationIdBytesMax),
    principal: fields.optionalBytes(Tag.principal, limits.principalBytesMax),
    reason: fields.optionalBytes(Tag.reason, limits.reasonBytesMax),
    sourceTag: fields.optionalBytes(Tag.sourceTag, limits.sourceTagBytesMax),
  };
}

/** The same envelope with a signature over its id. */
export function withSignature(envelope: Envelope, signature: Uint8Array): Envelope {
  assert(envelope.signature === undefined, "an envelope is signed once");
  assert(signature.length === 64, "an Ed25519 signature is 64 bytes");
  const encoder = encoding.createEncoder();
  writeBytesField(encoder, Tag.signature, signature);
  return {
    ...envelope,
    signature,
    bytes: concatBytes([envelope.bytes, encoding.toUint8Array(encoder)]),
  };
}

/** The same envelope without its signature; the id stays, as it does not cover it. */
export function withoutSignature(envelope: Envelope): Envelope {
  const { signature, ...unsigned } = envelope;
  if (signature === undefined) return envelope;
  const encoder = encoding.createEncoder();
  writeBytesField(encoder, Tag.signature, signature);
  // It is the last field, always.
  return { ...unsigned, bytes: envelope.bytes.subarray(0, -encoding.length(encoder)) };
}

/** What no reader would take must not reach the log. */
function assertLengthMax(bytes: Uint8Array | undefined, lengthMax: number): void {
  assert(bytes === undefined || bytes.length <= lengthMax, "a field keeps its cap");
}

/** The signature is left out of the id, so that nobody can give one envelope two names. */
function envelopeIdOf(hash: Hash, signedBytes: Uint8Array): EnvelopeId {
  return hash.sha256(concatBytes([idDomain, signedBytes]));
}
