import { documentId, HeddleErrorCode } from "@heddle/core";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { openRecord, sealRecord } from "./record-codec.ts";
import { dirtyKey, envelopeKey, headKey, storeKey } from "./record-keys.ts";

const document = documentId(new Uint8Array(16).fill(0xd0));
const key = envelopeKey(document, 3, 77);

describe("record codec", () => {
  it("gives back every payload, the empty one too", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (payload) => {
        expect(openRecord(key, sealRecord(key, payload))).toEqual(payload);
      }),
    );
  });

  it("[STO-3] refuses a record with any one bit flipped", () => {
    const record = sealRecord(key, Uint8Array.of(1, 2, 3, 250, 251));
    for (let bit = 0; bit < record.length * 8; bit++) {
      expect(codeOf(() => openRecord(key, flipped(record, bit)))).toBe(
        HeddleErrorCode.storageCorrupt,
      );
    }
  });

  it("[STO-3] refuses a good record under a key with any one bit flipped", () => {
    const record = sealRecord(key, Uint8Array.of(9, 8, 7));
    for (let bit = 0; bit < key.length * 8; bit++) {
      expect(codeOf(() => openRecord(flipped(key, bit), record))).toBe(
        HeddleErrorCode.storageCorrupt,
      );
    }
  });

  it("[STO-3] refuses a record that was cut or that goes on too long", () => {
    const record = sealRecord(key, Uint8Array.of(1, 2, 3));
    for (let length = 0; length < record.length; length++) {
      const cut = record.subarray(0, length);
      expect(codeOf(() => openRecord(key, cut))).toBe(HeddleErrorCode.storageCorrupt);
    }
    const long = new Uint8Array(record.length + 1);
    long.set(record);
    expect(codeOf(() => openRecord(key, long))).toBe(HeddleErrorCode.storageCorrupt);
  });

  it("[STO-3] names kind and document of the damaged record", () => {
    const damaged = new Uint8Array(12);
    expect(() => openRecord(key, damaged)).toThrow(`envelope record of document ${document}`);
    expect(() => openRecord(dirtyKey(document), damaged)).toThrow("dirty marker record of");
    expect(() => openRecord(headKey, damaged)).toThrow("meta record is damaged");
  });

  it("asks for a newer heddle where the record is whole and of a later version", () => {
    // Version 2 of an empty payload under the store key, with a right checksum.
    const later = Uint8Array.from(Buffer.from("6802000000006d2b7ee2", "hex"));
    expect(codeOf(() => openRecord(storeKey, later))).toBe(HeddleErrorCode.storageVersion);
  });
});

function codeOf(call: () => unknown): unknown {
  try {
    call();
    return "nothing thrown";
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}
