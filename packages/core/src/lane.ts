import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { decodeUtf8, encodeUtf8 } from "lib0/string";

import { assert } from "./assert.ts";
import { concatBytes } from "./bytes.ts";
import type { Hash, Random, Signer, Verifier } from "./environment.ts";
import { encodeEnvelope, type Envelope, type EnvelopeContent } from "./envelope.ts";
import { Fields, malformed, readFields, tooNew, writeBytesField } from "./fields.ts";
import { decodeHlc, encodeHlc, type Hlc, type HybridClock } from "./hybrid-clock.ts";
import { bytesOfId, laneId, noEnvelopeId, spaceId, type LaneId, type SpaceId } from "./ids.ts";
import type { LanePosition } from "./version-vector.ts";

/**
 * Who may write a lane: one process (or browser tab) of one device, from its start to its end. A lane
 * is never resumed, so a restored backup or a copied folder cannot use a sequence number twice (I2).
 */
export interface LaneDescriptor {
  readonly id: LaneId;
  readonly space: SpaceId;
  /** 32 bytes. */
  readonly devicePublicKey: Uint8Array;
  readonly openedAt: Hlc;
  /** Name and version of the engine that writes, for diagnosis. */
  readonly engine: string;
  /** The whole encoding, signature included. */
  readonly bytes: Uint8Array;
}

const descriptorVersion = 1;
const Tag = {
  space: 1,
  devicePublicKey: 2,
  nonce: 3,
  openedAt: 4,
  engine: 5,
  signature: 127,
} as const;
const knownTags: ReadonlySet<number> = new Set(Object.values(Tag));
const idDomain = encodeUtf8("heddle/lane/1");
const engineBytesMax = 128;

export interface LaneOpening {
  readonly space: SpaceId;
  readonly signer: Signer;
  readonly hash: Hash;
  readonly random: Random;
  readonly clock: HybridClock;
  readonly engine: string;
}

/** Makes the descriptor of a new lane and signs it with the device key. */
export async function openLane(opening: LaneOpening): Promise<LaneDescriptor> {
  const { space, signer, hash, random, clock, engine } = opening;
  const engineBytes = encodeUtf8(engine);
  assert(engineBytes.length <= engineBytesMax, "the name of an engine keeps its cap");
  const openedAt = clock.tick();
  const encoder = encoding.createEncoder();
  encoding.writeUint8(encoder, descriptorVersion);
  encoding.writeUint8(encoder, descriptorVersion);
  writeBytesField(encoder, Tag.space, bytesOfId(space));
  writeBytesField(encoder, Tag.devicePublicKey, signer.devicePublicKey);
  writeBytesField(encoder, Tag.nonce, random.bytes(16));
  writeBytesField(encoder, Tag.openedAt, encodeHlc(openedAt));
  writeBytesField(encoder, Tag.engine, engineBytes);
  const unsigned = encoding.toUint8Array(encoder);
  const signature = await signer.sign(signingInput(unsigned));
  writeBytesField(encoder, Tag.signature, signature);
  const { devicePublicKey } = signer;
  const id = laneIdOf(hash, unsigned);
  return { id, space, devicePublicKey, openedAt, engine, bytes: encoding.toUint8Array(encoder) };
}

/**
 * Reads a descriptor without checking its signature; {@link verifyLane} does that.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED` or `HEDDLE_PROTOCOL_VERSION`.
 */
export function decodeLane(hash: Hash, bytes: Uint8Array): LaneDescriptor {
  const { fields, unsigned } = readDescriptor(bytes);
  fields.bytes(Tag.nonce, 16);
  fields.bytes(Tag.signature, 64);
  return {
    id: laneIdOf(hash, unsigned),
    space: spaceId(fields.bytes(Tag.space, 16)),
    devicePublicKey: fields.bytes(Tag.devicePublicKey, 32),
    openedAt: decodeHlc(fields.bytes(Tag.openedAt, 8)),
    engine: readEngine(fields),
    bytes,
  };
}

/** True when the device named in the descriptor signed it. */
export async function verifyLane(lane: LaneDescriptor, verifier: Verifier): Promise<boolean> {
  const { fields, unsigned } = readDescriptor(lane.bytes);
  const signature = fields.bytes(Tag.signature, 64);
  return verifier.verify(lane.devicePublicKey, signingInput(unsigned), signature);
}

function readDescriptor(bytes: Uint8Array): { fields: Fields; unsigned: Uint8Array } {
  if (bytes.length < 2 || bytes.length > 1024)
    throw malformed("lane", "its length is out of bounds");
  if (bytes[0]! < 1 || bytes[1]! < 1) throw malformed("lane", "it has no version");
  if (bytes[1]! > descriptorVersion) throw tooNew("lane", `version ${bytes[1]!}`);
  const fields = new Fields("lane");
  let unsignedLength = bytes.length;
  readFields("lane", decoding.createDecoder(bytes.subarray(2)), (tag, value, offset) => {
    if (tag > Tag.signature) throw malformed("lane", "a field follows the signature");
    if (tag === Tag.signature) unsignedLength = offset + 2;
    fields.set(tag, value);
    return knownTags.has(tag);
  });
  return { fields, unsigned: bytes.subarray(0, unsignedLength) };
}

function readEngine(fields: Fields): string {
  const bytes = fields.optionalBytes(Tag.engine, engineBytesMax) ?? new Uint8Array();
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw malformed("lane", "the name of its engine is not UTF-8", cause);
  }
}

/** What a writer adds to an envelope; the lane knows the rest. */
export type EnvelopeDraft = Omit<EnvelopeContent, "space" | "lane" | "seq" | "prev" | "hlc">;

/** Seals envelopes of one lane. Positions are kept by the caller, per document. */
export class LaneWriter {
  readonly descriptor: LaneDescriptor;
  readonly #hash: Hash;
  readonly #clock: HybridClock;
  #ended = false;

  constructor(descriptor: LaneDescriptor, hash: Hash, clock: HybridClock) {
    this.descriptor = descriptor;
    this.#hash = hash;
    this.#clock = clock;
  }

  /** The envelope after `position` in this lane of `draft.document`; `undefined` is "none yet". */
  seal(position: LanePosition | undefined, draft: EnvelopeDraft): Envelope {
    assert(!this.#ended, "nothing is sealed past the end of a lane");
    // Name by name: V8 copies a spread object slowly when a shape that it has seen is out of date.
    return encodeEnvelope(this.#hash, {
      kind: draft.kind,
      flags: draft.flags,
      document: draft.document,
      epoch: draft.epoch,
      schema: draft.schema,
      codec: draft.codec,
      payload: draft.payload,
      correlationId: draft.correlationId,
      principal: draft.principal,
      reason: draft.reason,
      sourceTag: draft.sourceTag,
      space: this.descriptor.space,
      lane: this.descriptor.id,
      seq: (position?.seq ?? 0) + 1,
      prev: position?.head ?? noEnvelopeId,
      hlc: this.#clock.tick(),
    });
  }

  /** After a failed append nobody knows which of the last envelopes exist: the lane is over. */
  end(): void {
    this.#ended = true;
  }
}

function laneIdOf(hash: Hash, unsigned: Uint8Array): LaneId {
  return laneId(hash.sha256(signingInput(unsigned)).subarray(0, 16));
}

function signingInput(unsigned: Uint8Array): Uint8Array {
  return concatBytes([idDomain, unsigned]);
}
