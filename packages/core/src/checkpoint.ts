import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { decodeUtf8, encodeUtf8 } from "lib0/string";

import { assert } from "./assert.ts";
import { concatBytes, equalBytes } from "./bytes.ts";
import { hashCheckpointVector } from "./checkpoint-vector.ts";
import { PayloadCodec } from "./envelope.ts";
import type { Hash, Signer, Verifier } from "./environment.ts";
import {
  Fields,
  malformed,
  readFields,
  tooNew,
  writeBytesField,
  writeUintField,
} from "./fields.ts";
import { decodeHlc, encodeHlc, type Hlc } from "./hybrid-clock.ts";
import { bytesOfId, documentId, spaceId, type DocumentId, type SpaceId } from "./ids.ts";
import { limits } from "./limits.ts";

/**
 * A durable fold of a document's log up to a version vector. It says what it covers and what came
 * out, so that it can be compared with a fold of somebody else's; the log below it may then go.
 */
export interface CheckpointContent {
  readonly space: SpaceId;
  readonly document: DocumentId;
  readonly builtAt: Hlc;
  /** Name and version; digests of other engines are not comparable. */
  readonly engine: string;
  /** How the state is written before it is deflated. */
  readonly codec: PayloadCodec;
  /** How many lanes the vector names, its digest L, and the hash of its chunks. */
  readonly lanes: number;
  readonly digestL: Uint8Array;
  readonly vectorHash: Uint8Array;
  readonly digestS: Uint8Array;
  readonly digestC: Uint8Array;
  /** Of the state as it is stored, raw-deflated: SHA-256 and length. */
  readonly payloadHash: Uint8Array;
  readonly payloadBytes: number;
  /** Of the state inflated: nobody inflates more than this. */
  readonly stateBytes: number;
  /** Which recalls were left out of the state; missing when there were none. See `hashRecalls`. */
  readonly recallsHash?: Uint8Array | undefined;
  /** What lies in the covered log and, for a recall, not in the state: a Yjs V1 state vector. */
  readonly held?: Uint8Array | undefined;
  /** Covered envelopes that are held, in whole or in part. */
  readonly heldEnvelopes: number;
}

export interface CheckpointHeader extends CheckpointContent {
  /** SHA-256 of the header without its signature, 32 bytes. */
  readonly id: Uint8Array;
  readonly devicePublicKey: Uint8Array;
  /** 64 bytes of Ed25519 over `id`. */
  readonly signature: Uint8Array;
  /** The whole encoding, signature included. */
  readonly bytes: Uint8Array;
}

export const checkpointVersion = 1;

/** Never reused. */
const Tag = {
  space: 1,
  document: 2,
  builtAt: 3,
  engine: 4,
  codec: 5,
  lanes: 6,
  digestL: 7,
  vectorHash: 8,
  digestS: 9,
  digestC: 10,
  payloadHash: 11,
  payloadBytes: 12,
  stateBytes: 13,
  recallsHash: 14,
  held: 15,
  heldEnvelopes: 16,
  devicePublicKey: 17,
  /** Always last, so that everything before it can be hashed in one piece. */
  signature: 127,
} as const;
const knownTags: ReadonlySet<number> = new Set(Object.values(Tag));
const idDomain = encodeUtf8("heddle/ckpt/1");
const recallsDomain = encodeUtf8("heddle/recalls/1");
const engineBytesMax = 128;

/** header := uint8 version • uint8 lowest version of a reader • field*. See docs/storage-format.md. */
export async function signCheckpoint(
  hash: Hash,
  signer: Signer,
  content: CheckpointContent,
): Promise<CheckpointHeader> {
  assert(content.stateBytes <= limits.checkpointStateBytesMax, "a checkpoint keeps its cap");
  assert(
    (content.held?.length ?? 0) <= limits.checkpointHeldBytesMax,
    "what a checkpoint holds aside keeps its cap",
  );
  const encoder = encoding.createEncoder();
  encoding.writeUint8(encoder, checkpointVersion);
  encoding.writeUint8(encoder, checkpointVersion);
  writeBytesField(encoder, Tag.space, bytesOfId(content.space));
  writeBytesField(encoder, Tag.document, bytesOfId(content.document));
  writeBytesField(encoder, Tag.builtAt, encodeHlc(content.builtAt));
  writeBytesField(encoder, Tag.engine, encodeUtf8(content.engine));
  writeUintField(encoder, Tag.codec, content.codec);
  writeUintField(encoder, Tag.lanes, content.lanes);
  writeBytesField(encoder, Tag.digestL, content.digestL);
  writeBytesField(encoder, Tag.vectorHash, content.vectorHash);
  writeBytesField(encoder, Tag.digestS, content.digestS);
  writeBytesField(encoder, Tag.digestC, content.digestC);
  writeBytesField(encoder, Tag.payloadHash, content.payloadHash);
  writeUintField(encoder, Tag.payloadBytes, content.payloadBytes);
  writeUintField(encoder, Tag.stateBytes, content.stateBytes);
  if (content.recallsHash) writeBytesField(encoder, Tag.recallsHash, content.recallsHash);
  if (content.held) writeBytesField(encoder, Tag.held, content.held);
  writeUintField(encoder, Tag.heldEnvelopes, content.heldEnvelopes);
  writeBytesField(encoder, Tag.devicePublicKey, signer.devicePublicKey);
  const id = idOf(hash, encoding.toUint8Array(encoder));
  const signature = await signer.sign(id);
  writeBytesField(encoder, Tag.signature, signature);
  const { devicePublicKey } = signer;
  return { ...content, id, devicePublicKey, signature, bytes: encoding.toUint8Array(encoder) };
}

/**
 * Reads a header without checking its signature; {@link isCheckpointSigned} does that.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED` or `HEDDLE_PROTOCOL_VERSION`.
 */
export function decodeCheckpoint(hash: Hash, bytes: Uint8Array): CheckpointHeader {
  if (bytes.length < 2 || bytes.length > limits.checkpointHeaderBytesMax) {
    throw malformed("checkpoint", "its length is out of bounds");
  }
  if (bytes[0]! < 1 || bytes[1]! < 1) throw malformed("checkpoint", "it has no version");
  if (bytes[1]! > checkpointVersion) throw tooNew("checkpoint", `version ${bytes[1]!}`);
  const fields = new Fields("checkpoint");
  let unsignedLength = bytes.length;
  readFields("checkpoint", decoding.createDecoder(bytes.subarray(2)), (tag, value, offset) => {
    if (tag > Tag.signature) throw malformed("checkpoint", "a field follows the signature");
    if (tag === Tag.signature) unsignedLength = offset + 2;
    fields.set(tag, value);
    return knownTags.has(tag);
  });
  return {
    ...contentOf(fields),
    id: idOf(hash, bytes.subarray(0, unsignedLength)),
    devicePublicKey: fields.bytes(Tag.devicePublicKey, 32),
    signature: fields.bytes(Tag.signature, 64),
    bytes,
  };
}

function contentOf(fields: Fields): CheckpointContent {
  const codec = fields.uint(Tag.codec);
  if (codec === PayloadCodec.none) throw malformed("checkpoint", "it has no codec");
  if (codec !== PayloadCodec.yjsV1) throw tooNew("checkpoint", `codec ${codec}`);
  const stateBytes = fields.uint(Tag.stateBytes);
  if (stateBytes > limits.checkpointStateBytesMax) {
    throw malformed("checkpoint", "its state is larger than the cap");
  }
  const lanes = fields.uint(Tag.lanes);
  if (lanes > limits.lanesPerVectorMax) throw malformed("checkpoint", "it names too many lanes");
  const recallsHash = fields.optionalBytes(Tag.recallsHash, 32);
  if (recallsHash && recallsHash.length !== 32) throw malformed("checkpoint", "a hash is short");
  return {
    space: spaceId(fields.bytes(Tag.space, 16)),
    document: documentId(fields.bytes(Tag.document, 16)),
    builtAt: decodeHlc(fields.bytes(Tag.builtAt, 8)),
    engine: engineOf(fields),
    codec,
    lanes,
    digestL: fields.bytes(Tag.digestL, 32),
    vectorHash: fields.bytes(Tag.vectorHash, 32),
    digestS: fields.bytes(Tag.digestS, 32),
    digestC: fields.bytes(Tag.digestC, 32),
    payloadHash: fields.bytes(Tag.payloadHash, 32),
    payloadBytes: fields.uint(Tag.payloadBytes),
    stateBytes,
    recallsHash,
    held: fields.optionalBytes(Tag.held, limits.checkpointHeldBytesMax),
    heldEnvelopes: fields.uint(Tag.heldEnvelopes),
  };
}

function engineOf(fields: Fields): string {
  const bytes = fields.optionalBytes(Tag.engine, engineBytesMax) ?? new Uint8Array();
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw malformed("checkpoint", "the name of its engine is not UTF-8", cause);
  }
}

/** True when the device named in the header signed it. */
export function isCheckpointSigned(
  { devicePublicKey, id, signature }: CheckpointHeader,
  verifier: Verifier,
): Promise<boolean> {
  return verifier.verify(devicePublicKey, id, signature);
}

/** Whether `chunks` and `payload` are those that the header speaks of. */
export function isCheckpointWhole(
  hash: Hash,
  header: CheckpointHeader,
  { vector, payload }: { readonly vector: readonly Uint8Array[]; readonly payload: Uint8Array },
): boolean {
  return (
    payload.length === header.payloadBytes &&
    equalBytes(hash.sha256(payload), header.payloadHash) &&
    equalBytes(hashCheckpointVector(hash, vector), header.vectorHash)
  );
}

/**
 * Names a set of recalled envelopes: a checkpoint that was built under other recalls holds what is
 * recalled by now, or lacks what it should hold. `undefined` for none.
 *
 * @param ids envelope ids in hex, in any order.
 */
export function hashRecalls(hash: Hash, ids: Iterable<string>): Uint8Array | undefined {
  const sorted = [...ids].toSorted();
  if (sorted.length === 0) return undefined;
  return hash.sha256(concatBytes([recallsDomain, encodeUtf8(sorted.join("\n"))]));
}

/** The signature is left out of the id, so that nobody can give one checkpoint two names. */
function idOf(hash: Hash, unsigned: Uint8Array): Uint8Array {
  return hash.sha256(concatBytes([idDomain, unsigned]));
}
