import * as fc from "fast-check";

import { sha256 } from "./environment.fixture.ts";
import { encodeEnvelope, type Envelope, type EnvelopeContent } from "./envelope.ts";
import { documentId, laneId, noEnvelopeId, spaceId, type EnvelopeId, type LaneId } from "./ids.ts";
import { limits } from "./limits.ts";

export const testSpace = spaceId(new Uint8Array(16).fill(0xa5));
export const testDocument = documentId(new Uint8Array(16).fill(0xd0));

export function testLane(number: number): LaneId {
  return laneId(new Uint8Array(16).fill(number));
}

/** An envelope with distinct values, changed where `changes` say so. */
export function envelopeWith(changes: Partial<EnvelopeContent> = {}): Envelope {
  return encodeEnvelope(sha256, {
    kind: 1,
    flags: 0,
    space: testSpace,
    document: testDocument,
    lane: testLane(1),
    seq: 1,
    prev: noEnvelopeId,
    hlc: { wallMs: 1_700_000_000_123, counter: 4 },
    epoch: 0,
    schema: 0,
    codec: 1,
    payload: Uint8Array.of(11, 12, 13),
    ...changes,
  });
}

/** `length` envelopes of one lane, each naming the one before. `salt` makes another history. */
export function chainOf(lane: LaneId, length: number, { salt = 0, after }: ChainOptions = {}) {
  const chain: Envelope[] = [];
  let prev: EnvelopeId = after?.id ?? noEnvelopeId;
  for (let index = 0; index < length; index++) {
    const seq = (after?.seq ?? 0) + index + 1;
    const envelope = envelopeWith({ lane, seq, prev, payload: Uint8Array.of(salt, seq) });
    chain.push(envelope);
    prev = envelope.id;
  }
  return chain;
}

interface ChainOptions {
  readonly salt?: number;
  readonly after?: Envelope | undefined;
}

const number = fc.oneof(
  fc.constantFrom(0, 1, 127, 128, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
);
const id = bytesOf(16);

/** Every field, with its bounds met more often than chance would. */
export const envelopeContents: fc.Arbitrary<EnvelopeContent> = fc.record(
  {
    kind: fc.constantFrom(1, 2, 3),
    flags: fc.nat({ max: 15 }),
    space: id.map(spaceId),
    document: id.map(documentId),
    lane: id.map(laneId),
    seq: number.map((seq) => Math.max(1, seq)),
    prev: bytesOf(32),
    hlc: fc.record({
      wallMs: fc.oneof(fc.constantFrom(0, 2 ** 32, 2 ** 48 - 1), fc.nat()),
      counter: fc.nat({ max: 2 ** 16 - 1 }),
    }),
    epoch: number,
    schema: number,
    codec: fc.constantFrom(0, 1),
    payload: bytesUpTo(300),
    correlationId: bytesUpTo(limits.correlationIdBytesMax),
    principal: bytesUpTo(limits.principalBytesMax),
    reason: bytesUpTo(limits.reasonBytesMax),
  },
  {
    requiredKeys: [
      ...(["kind", "flags", "space", "document", "lane", "seq", "prev"] as const),
      ...(["hlc", "epoch", "schema", "codec", "payload"] as const),
    ],
  },
);

function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

function bytesUpTo(lengthMax: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ maxLength: lengthMax, size: "max" });
}
