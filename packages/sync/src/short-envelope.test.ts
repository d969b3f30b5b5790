import {
  documentId,
  encodeEnvelope,
  EnvelopeFlag,
  EnvelopeKind,
  fromHex,
  HeddleErrorCode,
  isHeddleError,
  laneId,
  openSpaceId,
  PayloadCodec,
  toHex,
  withSignature,
  type Envelope,
  type EnvelopeContent,
} from "@heddle/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { testHash } from "./environment.fixture.ts";
import { countingBytes } from "./frames.fixture.ts";
import { packEnvelope, unpackEnvelopes } from "./packed-envelope.ts";
import { shortFormMin } from "./short-envelope.ts";

const openedAtMs = 1_800_000_000_000;
const lane = { id: laneId(countingBytes(16)), openedAt: { wallMs: openedAtMs, counter: 3 } };
const place = { space: openSpaceId(testHash), document: documentId(countingBytes(16, 7)), lane };
const prev = countingBytes(32, 60);

function envelopeOf(changes: Partial<EnvelopeContent>, isSigned = true): Envelope {
  const sealed = encodeEnvelope(testHash, {
    kind: EnvelopeKind.update,
    flags: 0,
    space: place.space,
    document: place.document,
    lane: lane.id,
    seq: 5,
    prev,
    hlc: { wallMs: openedAtMs + 600, counter: 0 },
    epoch: 0,
    schema: 0,
    codec: PayloadCodec.yjsV1,
    payload: Uint8Array.of(1, 2, 3),
    ...changes,
  });
  return isSigned ? withSignature(sealed, countingBytes(64, 100)) : sealed;
}

function unpacked(packed: Uint8Array): Envelope {
  return unpackEnvelopes(testHash, place, { firstSeq: 5, prev, packed: [packed] })[0]!;
}

function refusal(packed: Uint8Array): HeddleErrorCode | undefined {
  try {
    unpacked(packed);
  } catch (error) {
    if (isHeddleError(error)) return error.code;
    throw error;
  }
  return undefined;
}

const optional = (lengthMax: number) => {
  return fc.option(fc.uint8Array({ maxLength: lengthMax }), { nil: undefined });
};
const contents = fc.record({
  kind: fc.constantFrom(EnvelopeKind.update, EnvelopeKind.update, EnvelopeKind.laneClose),
  flags: fc.constantFrom(0, EnvelopeFlag.viaGateway, EnvelopeFlag.imported, 5),
  hlc: fc.record({
    wallMs: fc.oneof(
      fc.integer({ min: -2_000, max: 2 ** 31 - 1 }).map((ms) => openedAtMs + ms),
      fc.constantFrom(0, openedAtMs, 2 ** 48 - 1),
    ),
    counter: fc.constantFrom(0, 1, 127, 128, 0xffff),
  }),
  epoch: fc.constantFrom(0, 0, 1),
  schema: fc.constantFrom(0, 0, 300),
  codec: fc.constantFrom(PayloadCodec.yjsV1, PayloadCodec.none),
  payload: fc.uint8Array({ maxLength: 200, size: "max" }),
  correlationId: fc.option(fc.uint8Array({ maxLength: 16 }), { nil: undefined, freq: 1 }),
  principal: optional(20),
  reason: optional(20),
  sourceTag: optional(16),
});

test("[WIR-4] whatever is in an envelope comes out of its packed form byte for byte", () => {
  let short = 0;
  fc.assert(
    fc.property(contents, fc.boolean(), (content, isSigned) => {
      const envelope = envelopeOf(content, isSigned);
      const packed = packEnvelope(envelope, lane);
      if (packed[0]! >= shortFormMin) short++;
      expect(unpacked(packed)).toEqual(envelope);
    }),
    { numRuns: 2_000 },
  );
  // Plain ones without principal, reason and correlation id are drawn often enough to be tried.
  fc.assert(
    fc.property(contents, fc.boolean(), ({ payload, hlc, sourceTag }, isSigned) => {
      const envelope = envelopeOf({ payload, hlc, ...(sourceTag && { sourceTag }) }, isSigned);
      const packed = packEnvelope(envelope, lane);
      expect(packed[0]! >= shortFormMin).toBe(hlc.wallMs >= openedAtMs);
      if (packed[0]! >= shortFormMin) short++;
      expect(unpacked(packed)).toEqual(envelope);
    }),
    { numRuns: 1_000 },
  );
  expect(short).toBeGreaterThan(300);
});

test("[WIR-4] an envelope with a field that this version skips is not made short", () => {
  const plain = envelopeOf({}, false);
  // Tag 40, one byte: behind the payload, and no reader has to know it.
  const bytes = Uint8Array.of(...plain.bytes, 81, 1, 9);
  const packed = packEnvelope({ ...plain, bytes }, lane);
  expect(packed[0]).toBeLessThan(shortFormMin);
  expect(toHex(unpacked(packed).bytes)).toBe(toHex(bytes));
});

test("[WIR-1] golden bytes of short envelopes", () => {
  const signature = toHex(countingBytes(64, 100));
  expect(toHex(packEnvelope(envelopeOf({}), lane))).toBe(`41d804${signature}010203`);
  const gateway = envelopeOf(
    {
      flags: EnvelopeFlag.viaGateway,
      sourceTag: Uint8Array.of(7, 8),
      hlc: { wallMs: openedAtMs, counter: 300 },
    },
    false,
  );
  expect(toHex(packEnvelope(gateway, lane))).toBe("4e00ac02020708010203");
});

describe("[WIR-2] a short envelope that cannot be is refused with a code", () => {
  test.each([
    ["a form of a later version", "5000", HeddleErrorCode.protocolVersion],
    ["nothing behind the form", "40", HeddleErrorCode.frameMalformed],
    ["a counter of 0 that is said", "480000", HeddleErrorCode.frameMalformed],
    ["a counter over 16 bits", "4800808004", HeddleErrorCode.frameMalformed],
    ["a time over 48 bits", "40ffffffffffff3f", HeddleErrorCode.frameMalformed],
    ["a number with a longer form", "408000", HeddleErrorCode.frameMalformed],
    ["a signature that is cut off", "4100aabb", HeddleErrorCode.frameMalformed],
    ["a source tag over its cap", `440011${"00".repeat(17)}`, HeddleErrorCode.frameMalformed],
    ["a source tag that runs past the end", "4400ff01", HeddleErrorCode.frameMalformed],
  ])("%s", (_name, hex, code) => {
    expect(refusal(fromHex(hex)!)).toBe(code);
  });
});
