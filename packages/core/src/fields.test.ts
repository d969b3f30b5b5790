import * as fc from "fast-check";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { describe, expect, test } from "vitest";

import { HeddleErrorCode } from "./errors.ts";
import {
  readFields,
  readUint,
  writeBytesField,
  writeUintField,
  type FieldValue,
} from "./fields.ts";

function read(bytes: Uint8Array): [number, FieldValue, number][] {
  const seen: [number, FieldValue, number][] = [];
  readFields("test", decoding.createDecoder(bytes), (tag, value, offset) => {
    seen.push([tag, value, offset]);
    return tag < 10;
  });
  return seen;
}

const malformed = expect.objectContaining({ code: HeddleErrorCode.frameMalformed });

describe("fields", () => {
  test("[LOG-4] come back with their tags, values and places, and zero is said by absence", () => {
    const bytes = encoding.encode((encoder) => {
      writeUintField(encoder, 2, 300);
      writeUintField(encoder, 3, 0);
      writeBytesField(encoder, 4, Uint8Array.of(7, 8));
      writeBytesField(encoder, 90, new Uint8Array());
    });
    expect(read(bytes)).toEqual([
      [2, 300, 0],
      [4, Uint8Array.of(7, 8), 3],
      [90, new Uint8Array(), 7],
    ]);
  });

  test("[LOG-4] have one encoding: no repeated, falling or zero tag, no zero, no padded number", () => {
    for (const bytes of [
      [2 << 1, 1, 2 << 1, 1],
      [3 << 1, 1, 2 << 1, 1],
      [0, 1],
      [2 << 1, 0],
      [2 << 1, 0x80, 0],
      [2 << 1, 0x81, 0],
      [0x84, 0, 1],
      [(2 << 1) | 1, 0x81, 0, 9],
    ]) {
      expect(() => read(Uint8Array.from(bytes))).toThrow(malformed);
    }
  });

  test("[LOG-4] refuse an unknown tag below 32 as too new, and skip it from 32 on", () => {
    const tooNew = expect.objectContaining({ code: HeddleErrorCode.protocolVersion });
    expect(() => read(Uint8Array.of(31 << 1, 1))).toThrow(tooNew);
    expect(read(Uint8Array.of(32 << 1, 1))).toEqual([[32, 1, 0]]);
  });
});

describe("numbers", () => {
  test("[LOG-4] are read as they were written", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = encoding.encode((encoder) => encoding.writeVarUint(encoder, value));
        expect(readUint(decoding.createDecoder(bytes))).toBe(value);
      }),
    );
  });

  test("[LOG-4] that a double cannot hold are refused, not rounded", () => {
    for (const last of [0x10, 0x7f]) {
      const bytes = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, last);
      expect(() => readUint(decoding.createDecoder(bytes))).toThrow(RangeError);
    }
    const largest = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f);
    expect(readUint(decoding.createDecoder(largest))).toBe(Number.MAX_SAFE_INTEGER);
  });

  test("[LOG-4] of whatever bytes have one writing only", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 10 }), (bytes) => {
        const decoder = decoding.createDecoder(bytes);
        let value: number;
        try {
          value = readUint(decoder);
        } catch {
          return; // Refused is fine; what counts is that nothing is read in two ways.
        }
        const written = encoding.encode((encoder) => encoding.writeVarUint(encoder, value));
        expect(bytes.subarray(0, decoder.pos)).toEqual(written);
      }),
    );
  });
});
