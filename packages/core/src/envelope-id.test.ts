import * as fc from "fast-check";
import { expect, test } from "vitest";

import { equalBytes, toHex } from "./bytes.ts";
import { envelopeContents, envelopeWith } from "./envelope.fixture.ts";
import { decodeEnvelope, encodeEnvelope, withSignature } from "./envelope.ts";
import { sha256 } from "./environment.fixture.ts";
import { isHeddleError } from "./errors.ts";

const signature = new Uint8Array(64).fill(0x5e);
const signed = withSignature(
  envelopeWith({ seq: 5, correlationId: Uint8Array.of(3), reason: Uint8Array.of(0x61) }),
  signature,
);
/** Tag and length of the signature take three bytes: 255 needs two, 64 one. */
const signatureStart = signed.bytes.length - 64;
const signedEnd = signatureStart - 3;

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

/** The id that a reader gives to `bytes`, or the code with which it refuses them. */
function nameOf(bytes: Uint8Array): string {
  try {
    return toHex(decodeEnvelope(sha256, bytes).id);
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    return error.code;
  }
}

test("[LOG-2] every bit before the signature counts: another id, or a refusal", () => {
  for (let bit = 0; bit < signedEnd * 8; bit++) {
    expect([bit, nameOf(flipped(signed.bytes, bit))]).not.toEqual([bit, toHex(signed.id)]);
  }
});

test("[LOG-2] no bit of the signature counts, so that one envelope cannot have two names", () => {
  for (let bit = signatureStart * 8; bit < signed.bytes.length * 8; bit++) {
    expect(nameOf(flipped(signed.bytes, bit))).toBe(toHex(signed.id));
  }
});

test("[LOG-2] a signature that is added, or taken off, leaves the id alone", () => {
  expect(nameOf(signed.bytes.subarray(0, signedEnd))).toBe(toHex(signed.id));
  expect(() => withSignature(signed, signature)).toThrow("signed once");
  expect(() => withSignature(envelopeWith(), signature.subarray(1))).toThrow("64 bytes");
});

test("[LOG-2] envelopes that differ in a field differ in their id", () => {
  fc.assert(
    fc.property(envelopeContents, envelopeContents, fc.context(), (one, other, context) => {
      for (const key of Object.keys(other) as (keyof typeof other)[]) {
        const mixed = { ...one, [key]: other[key] };
        const [a, b] = [encodeEnvelope(sha256, one), encodeEnvelope(sha256, mixed)];
        context.log(key);
        expect(equalBytes(a.id, b.id)).toBe(equalBytes(a.bytes, b.bytes));
      }
    }),
    { numRuns: 50 },
  );
});
