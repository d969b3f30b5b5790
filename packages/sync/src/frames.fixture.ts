import { documentId, laneId, openSpaceId, spaceId, storeId } from "@heddle/core";
import * as fc from "fast-check";

import { testHash } from "./environment.fixture.ts";
import type { Frame, FrameOf } from "./frame.ts";
import type { LibraryNode } from "./library-node.ts";
import { wireLimits } from "./wire-limits.ts";

/** `length` bytes that count up from `first`, so that a swap shows. */
export function countingBytes(length: number, first = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (first + index) & 0xff);
}

/** A HELLO with distinct values, changed where `changes` say so. */
export function helloWith(changes: Partial<FrameOf<"hello">> = {}): FrameOf<"hello"> {
  return {
    name: "hello",
    versionMin: 1,
    versionMax: 1,
    features: 5,
    space: openSpaceId(testHash),
    store: storeId(countingBytes(16, 10)),
    incarnation: countingBytes(16, 30),
    devicePublicKey: countingBytes(32, 50),
    nonce: countingBytes(32, 90),
    frameBytesMax: 65_536,
    creditBytes: 1_048_576,
    role: 2,
    engine: "test",
    ...changes,
  };
}

const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const bytesUpTo = (maxLength: number) => fc.uint8Array({ maxLength, minLength: 0 });
const number = fc.oneof(fc.constantFrom(0, 1, 127, 128, 2 ** 32), fc.maxSafeNat());
const small = fc.nat({ max: 255 });
const ref = fc.nat({ max: wireLimits.refsMax - 1 });
const lane = bytesOf(16).map(laneId);
const text = fc.string({ maxLength: 60 });
const positions = fc.array(fc.record({ lane, seq: number, head: bytesOf(8) }), { maxLength: 4 });
const acked = fc.array(fc.record({ laneRef: ref, seq: number, head: bytesOf(8) }), {
  maxLength: 4,
});
const packed = fc.array(bytesUpTo(40), { maxLength: 4 });
const maybe = (length: number) => fc.option(bytesOf(length), { nil: undefined });

const digit = fc.constantFrom(..."0123456789abcdef");
const prefix = fc.array(digit, { maxLength: 31 }).map((digits) => digits.join(""));
const children = fc
  .array(maybe(16), { minLength: 16, maxLength: 16 })
  .filter((hashes) => hashes.some((hash) => hash !== undefined));
const entries = fc.array(
  fc.record({ document: bytesOf(16).map(documentId), digest: bytesOf(16) }),
  { maxLength: 32 },
);
export const libraryNodes: fc.Arbitrary<LibraryNode> = fc.oneof(
  fc.record({ kind: fc.constant("branch" as const), prefix, children }),
  fc.record({ kind: fc.constant("leaf" as const), prefix, entries }),
);

const bodies = {
  hello: {
    versionMin: small,
    versionMax: small,
    features: number,
    space: bytesOf(16).map(spaceId),
    store: bytesOf(16).map(storeId),
    incarnation: bytesOf(16),
    devicePublicKey: bytesOf(32),
    nonce: bytesOf(32),
    frameBytesMax: number,
    creditBytes: number,
    role: small,
    engine: fc.string({ maxLength: 20 }),
  },
  auth: { signature: bytesOf(64), proof: bytesUpTo(80) },
  cursor: { incarnation: maybe(16), arrival: number, check: maybe(8) },
  mark: { incarnation: bytesOf(16), arrival: number, check: maybe(8) },
  open: {
    documentRef: ref,
    document: bytesOf(16).map(documentId),
    createdAt: bytesOf(8),
    documentName: text,
  },
  close: { documentRef: ref },
  lane: { laneRef: ref, descriptor: bytesUpTo(300) },
  have: { documentRef: ref, digest: bytesOf(32), flags: small, positions, checkpoint: maybe(32) },
  pull: { documentRef: ref, lane, fromSeq: number, toSeq: number },
  push: {
    documentRef: ref,
    laneRef: ref,
    firstSeq: number,
    prev: maybe(32),
    envelopes: packed,
    flags: small,
  },
  part: {
    transfer: number,
    totalBytes: fc.nat({ max: wireLimits.joinedBytesMax }),
    offset: fc.nat({ max: wireLimits.joinedBytesMax }),
    bytes: bytesUpTo(90),
  },
  ack: { documentRef: ref, positions: acked },
  nak: { documentRef: ref, lane, seq: number, code: small, reason: text, check: maybe(8) },
  fork: { documentRef: ref, lane: bytesUpTo(300), branchA: packed, branchB: packed },
  checkpointOffer: {
    documentRef: ref,
    header: bytesUpTo(200),
    attestations: fc.array(fc.record({ devicePublicKey: bytesOf(32), signature: bytesOf(64) }), {
      maxLength: 3,
    }),
    vectorBytes: number,
    flags: small,
  },
  checkpointGet: {
    documentRef: ref,
    checkpoint: bytesOf(32),
    firstChunk: number,
    flags: small,
  },
  checkpointData: {
    documentRef: ref,
    checkpoint: bytesOf(32),
    chunk: number,
    bytes: bytesUpTo(90),
  },
  digest: {
    documentRef: ref,
    log: bytesOf(32),
    state: maybe(32),
    content: maybe(32),
    flags: small,
    engine: fc.string({ maxLength: 20 }),
  },
  credit: { totalBytes: number },
  ping: { token: number, sentBytes: number },
  pong: { token: number },
  bye: { code: fc.nat({ max: 65_535 }), reason: text },
  unknownRef: { kind: small, ref },
  ephemeral: { documentRef: ref, payload: bytesUpTo(90) },
  library: {
    comparison: number,
    step: number,
    root: bytesOf(16),
    documents: number,
    flags: small,
    nodes: fc.array(libraryNodes, { maxLength: 3 }),
    wanted: fc.array(bytesOf(16).map(documentId), { maxLength: 3 }),
    check: maybe(8),
  },
  offering: { documents: number },
  refused: { document: bytesOf(16).map(documentId), code: small },
  announce: { documentRef: ref, positions: acked },
  hold: { documentRef: ref, lanes: fc.array(lane, { maxLength: 3 }) },
  feed: { documentRef: ref },
};

/** Every frame, with every field. */
export const frames: fc.Arbitrary<Frame> = fc.oneof(
  ...Object.entries(bodies).map(([name, body]) => {
    const fields: Readonly<Record<string, fc.Arbitrary<unknown>>> = body;
    return fc.record({ ...fields, name: fc.constant(name) }) as unknown as fc.Arbitrary<Frame>;
  }),
);
