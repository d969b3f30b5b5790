import { HeddleErrorCode, isHeddleError, noEnvelopeId, toHex } from "@heddle/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import { FixtureLane, testHash } from "./environment.fixture.ts";
import { packEnvelope, unpackEnvelopes } from "./packed-envelope.ts";

async function signedRun(length: number) {
  const writer = await FixtureLane.open(7);
  const envelopes = await writer.run(length);
  const { space, document } = envelopes[0]!;
  return { place: { space, document, lane: writer.descriptor }, envelopes };
}

test("[WIR-4] a packed run is put back together byte for byte, and its ids with it", async () => {
  const { place, envelopes } = await signedRun(4);
  const packed = envelopes.map((envelope) => packEnvelope(envelope, place.lane));
  const read = unpackEnvelopes(testHash, place, { firstSeq: 1, prev: noEnvelopeId, packed });
  expect(read).toEqual(envelopes);
  const bytes = envelopes.reduce((sum, envelope) => sum + envelope.bytes.length, 0);
  const packedBytes = packed.reduce((sum, each) => sum + each.length, 0);
  expect(bytes - packedBytes).toBeGreaterThanOrEqual(4 * 80);
});

test("[WIR-4] another place, order or content gives other ids: nothing is taken on trust", async () => {
  const { place, envelopes } = await signedRun(3);
  const packed = envelopes.map((envelope) => packEnvelope(envelope, place.lane));
  const idsOf = (run: Parameters<typeof unpackEnvelopes>[2]) => {
    return unpackEnvelopes(testHash, place, run).map(({ id }) => toHex(id));
  };
  const wanted = envelopes.map(({ id }) => toHex(id));
  expect(idsOf({ firstSeq: 1, prev: noEnvelopeId, packed })).toEqual(wanted);
  expect(idsOf({ firstSeq: 2, prev: noEnvelopeId, packed })).not.toEqual(wanted);
  expect(idsOf({ firstSeq: 1, prev: envelopes[0]!.id, packed })).not.toEqual(wanted);
  expect(idsOf({ firstSeq: 1, prev: noEnvelopeId, packed: packed.toReversed() })).not.toEqual(
    wanted,
  );
});

test("[WIR-2] bytes that are no packed envelope are refused with a code", async () => {
  const { place, envelopes } = await signedRun(1);
  const packed = packEnvelope(envelopes[0]!, place.lane);
  const inputs = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.nat({ max: packed.length - 1 }).map((length) => packed.subarray(0, length)),
    fc.tuple(fc.nat({ max: packed.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => {
      return packed.with(at, byte);
    }),
    fc.constant(envelopes[0]!.bytes),
  );
  let refused = 0;
  fc.assert(
    fc.property(inputs, (bytes) => {
      try {
        unpackEnvelopes(testHash, place, { firstSeq: 1, prev: noEnvelopeId, packed: [bytes] });
      } catch (error) {
        if (!isHeddleError(error)) throw error;
        refused++;
        expect([HeddleErrorCode.frameMalformed, HeddleErrorCode.protocolVersion]).toContain(
          error.code,
        );
      }
    }),
    { numRuns: 2_000 },
  );
  expect(refused).toBeGreaterThan(100);
});
