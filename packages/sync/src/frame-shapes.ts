import {
  bytesOfId,
  documentId,
  laneId,
  readUint,
  spaceId,
  storeId,
  type DocumentId,
  type LaneId,
} from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import {
  blob,
  bytes,
  byteString,
  id,
  list,
  maybeBytes,
  text,
  uint,
  writeFixed,
  type FieldCodec,
  type ItemCodec,
} from "./field-codecs.ts";
import { libraryNode } from "./library-node-codec.ts";
import { wireLimits } from "./wire-limits.ts";

/** Numbers on the wire. Never used again for something else; 24 to 63, and 71 to 255, are free. */
export const FrameType = {
  hello: 1,
  auth: 2,
  cursor: 3,
  mark: 4,
  open: 5,
  close: 6,
  lane: 7,
  have: 8,
  pull: 9,
  push: 10,
  part: 11,
  ack: 12,
  nak: 13,
  fork: 14,
  checkpointOffer: 15,
  checkpointGet: 16,
  checkpointData: 17,
  digest: 18,
  credit: 19,
  ping: 20,
  pong: 21,
  bye: 22,
  unknownRef: 23,
  ephemeral: 64,
  library: 65,
  offering: 66,
  refused: 67,
  announce: 68,
  hold: 69,
  feed: 70,
} as const;
export type FrameName = keyof typeof FrameType;

/** Where a sender stands in a lane; `head` is the first 8 bytes of the id there. */
export interface WirePosition {
  readonly lane: LaneId;
  readonly seq: number;
  readonly head: Uint8Array;
}

/** The same, with a lane by the number that LANE gave it: in ACK the reader's, in ANNOUNCE the sender's. */
export interface AckedPosition {
  readonly laneRef: number;
  readonly seq: number;
  readonly head: Uint8Array;
}

/** "I recomputed what this checkpoint says, and it is right." */
export interface WireAttestation {
  readonly devicePublicKey: Uint8Array;
  readonly signature: Uint8Array;
}

/** `refused.code`: why a document that the reader opened is not exchanged. */
export const RefusedCode = {
  /** The sender does not share it with this peer, whether it has it or not. */
  withheld: 1,
} as const;

/** Bits of `hello.features`: what the sender does beyond what all do. Others mean nothing. */
export const HelloFeature = {
  /** It takes any document, tells of all that it has, and compares libraries. */
  library: 2,
  /** It says ANNOUNCE where it was asked by HOLD not to push, and may ask so itself. */
  announce: 4,
} as const;

/** Bits of `library.flags`. */
export const LibraryFlag = {
  /** The sender has more to say in this comparison, when it is its turn again. */
  more: 1,
} as const;

/** Bits of `push.flags`. */
export const PushFlag = {
  /** Acknowledge this, and what came before it, as soon as it is on disk. */
  ask: 1,
} as const;

/** Bits of `have.flags`. */
export const HaveFlag = {
  /** The sender wants to be told the same. */
  ask: 1,
  /** Only the digest is said; positions follow if it differs. */
  digestOnly: 2,
  /** Another HAVE goes on with this vector. */
  more: 4,
} as const;

/** Bits of `checkpointOffer.flags`. */
export const CheckpointOfferFlag = {
  /** The log that it covers is gone, at least in part: there is no other way. */
  needed: 1,
} as const;

/** Bits of `checkpointGet.flags`. */
export const CheckpointGetFlag = {
  /** Not this one: the log, as far as there is one. */
  decline: 1,
} as const;

/** Bits of `digest.flags`. */
export const DigestFlag = {
  /** The sender sees a difference and wants to be told once more. */
  ask: 1,
} as const;

/** Which of a sender's numbers UNKNOWN_REF speaks of. */
export const RefKind = { document: 1, lane: 2 } as const;

const position: ItemCodec<WirePosition> = {
  bytesMin: 25,
  write(encoder, { lane, seq, head }) {
    writeFixed(encoder, bytesOfId(lane));
    encoding.writeVarUint(encoder, seq);
    writeFixed(encoder, head);
  },
  read(decoder) {
    const lane = laneId(decoding.readUint8Array(decoder, 16));
    const seq = readUint(decoder);
    return { lane, seq, head: decoding.readUint8Array(decoder, 8) };
  },
};

const ackedPosition: ItemCodec<AckedPosition> = {
  bytesMin: 10,
  write(encoder, { laneRef, seq, head }) {
    encoding.writeVarUint(encoder, laneRef);
    encoding.writeVarUint(encoder, seq);
    writeFixed(encoder, head);
  },
  read(decoder) {
    const laneRef = readUint(decoder);
    const seq = readUint(decoder);
    return { laneRef, seq, head: decoding.readUint8Array(decoder, 8) };
  },
};

const attestation: ItemCodec<WireAttestation> = {
  bytesMin: 96,
  write: (encoder, { devicePublicKey, signature }) =>
    writeFixed(encoder, devicePublicKey, signature),
  read(decoder) {
    const devicePublicKey = decoding.readUint8Array(decoder, 32);
    return { devicePublicKey, signature: decoding.readUint8Array(decoder, 64) };
  },
};

const documentItem: ItemCodec<DocumentId> = {
  bytesMin: 16,
  write: (encoder, document) => writeFixed(encoder, bytesOfId(document)),
  read: (decoder) => documentId(decoding.readUint8Array(decoder, 16)),
};

const laneItem: ItemCodec<LaneId> = {
  bytesMin: 16,
  write: (encoder, item) => writeFixed(encoder, bytesOfId(item)),
  read: (decoder) => laneId(decoding.readUint8Array(decoder, 16)),
};

/** A name for a document or a lane, given by the sender of the frame, for one connection. */
const ref = (tag: number) => uint(tag, wireLimits.refsMax - 1);
const document = (tag: number) => {
  return id<DocumentId>(tag, { toBytes: bytesOfId, fromBytes: documentId });
};
const lane = (tag: number) => id<LaneId>(tag, { toBytes: bytesOfId, fromBytes: laneId });
const reason = text(32, wireLimits.reasonBytesMax);

/** Fields of every frame, by tag. Tags from 32 on may be ignored by who does not know them. */
export const frameShapes = {
  hello: {
    versionMin: uint(1, 255),
    versionMax: uint(2, 255),
    features: uint(3),
    space: id(4, { toBytes: bytesOfId, fromBytes: spaceId }),
    store: id(5, { toBytes: bytesOfId, fromBytes: storeId }),
    incarnation: bytes(6, 16),
    devicePublicKey: bytes(7, 32),
    nonce: bytes(8, 32),
    frameBytesMax: uint(9),
    creditBytes: uint(10),
    role: uint(11, 255),
    engine: text(32, wireLimits.engineBytesMax),
  },
  auth: { signature: bytes(1, 64), proof: blob(32, wireLimits.proofBytesMax) },
  cursor: { incarnation: maybeBytes(1, 16), arrival: uint(2), check: maybeBytes(32, 8) },
  mark: { incarnation: bytes(1, 16), arrival: uint(2), check: maybeBytes(32, 8) },
  open: {
    documentRef: ref(1),
    document: document(2),
    createdAt: bytes(3, 8),
    documentName: text(4, wireLimits.documentNameBytesMax),
  },
  close: { documentRef: ref(1) },
  lane: { laneRef: ref(1), descriptor: blob(2, wireLimits.laneBytesMax) },
  have: {
    documentRef: ref(1),
    digest: bytes(2, 32),
    flags: uint(3, 255),
    positions: list(4, wireLimits.positionsPerFrameMax, position),
    checkpoint: maybeBytes(5, 32),
  },
  pull: { documentRef: ref(1), lane: lane(2), fromSeq: uint(3), toSeq: uint(4) },
  push: {
    documentRef: ref(1),
    laneRef: ref(2),
    firstSeq: uint(3),
    prev: maybeBytes(4, 32),
    envelopes: list(5, wireLimits.envelopesPerPushMax, byteString),
    flags: uint(6, 255),
  },
  part: {
    transfer: uint(1),
    totalBytes: uint(2, wireLimits.joinedBytesMax),
    offset: uint(3, wireLimits.joinedBytesMax),
    bytes: blob(4, wireLimits.frameBytesMax),
  },
  ack: { documentRef: ref(1), positions: list(2, wireLimits.positionsPerFrameMax, ackedPosition) },
  nak: {
    documentRef: ref(1),
    lane: lane(2),
    seq: uint(3),
    code: uint(4, 255),
    reason,
    check: maybeBytes(33, 8),
  },
  fork: {
    documentRef: ref(1),
    lane: blob(2, wireLimits.laneBytesMax),
    branchA: list(3, wireLimits.envelopesPerBranchMax, byteString),
    branchB: list(4, wireLimits.envelopesPerBranchMax, byteString),
  },
  checkpointOffer: {
    documentRef: ref(1),
    header: blob(2, wireLimits.checkpointHeaderBytesMax),
    attestations: list(3, wireLimits.attestationsPerOfferMax, attestation),
    vectorBytes: uint(4),
    flags: uint(5, 255),
  },
  checkpointGet: {
    documentRef: ref(1),
    checkpoint: bytes(2, 32),
    firstChunk: uint(3),
    flags: uint(4, 255),
  },
  checkpointData: {
    documentRef: ref(1),
    checkpoint: bytes(2, 32),
    chunk: uint(3),
    bytes: blob(4, wireLimits.checkpointChunkBytesMax),
  },
  digest: {
    documentRef: ref(1),
    log: bytes(2, 32),
    state: maybeBytes(3, 32),
    content: maybeBytes(4, 32),
    flags: uint(5, 255),
    engine: text(32, wireLimits.engineBytesMax),
  },
  credit: { totalBytes: uint(1) },
  ping: { token: uint(1), sentBytes: uint(2) },
  pong: { token: uint(1) },
  bye: { code: uint(1, 65_535), reason },
  unknownRef: { kind: uint(1, 255), ref: ref(2) },
  ephemeral: { documentRef: ref(1), payload: blob(2, wireLimits.ephemeralBytesMax) },
  library: {
    comparison: uint(1),
    step: uint(2),
    root: bytes(3, 16),
    documents: uint(4),
    flags: uint(5, 255),
    nodes: list(6, wireLimits.libraryNodesPerFrameMax, libraryNode),
    wanted: list(7, wireLimits.libraryWantedPerFrameMax, documentItem),
    check: maybeBytes(32, 8),
  },
  offering: { documents: uint(1) },
  refused: { document: document(1), code: uint(2, 255) },
  /** Lanes by their sender's numbers, unlike ACK. */
  announce: {
    documentRef: ref(1),
    positions: list(2, wireLimits.positionsPerFrameMax, ackedPosition),
  },
  hold: { documentRef: ref(1), lanes: list(2, wireLimits.positionsPerFrameMax, laneItem) },
  feed: { documentRef: ref(1) },
} as const;

/** What a frame holds, by its name. */
export type FrameBodies = {
  readonly [Name in FrameName]: {
    readonly [
      Field in keyof (typeof frameShapes)[Name]
    ]: (typeof frameShapes)[Name][Field] extends FieldCodec<infer Value> ? Value : never;
  };
};
