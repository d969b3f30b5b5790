import * as fc from "fast-check";
import { expect, test } from "vitest";

import { compareBytes, concatBytes, equalBytes, fromHex, toHex } from "./bytes.ts";

/** Few values, so that prefixes and equal strings happen. */
const strings = fc.uint8Array({ max: 2, maxLength: 4 });

test("byte strings are ordered as unsigned bytes, a prefix first", () => {
  fc.assert(
    fc.property(strings, strings, (a, b) => {
      expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
      expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
    }),
  );
  expect(compareBytes(Uint8Array.of(0x80), Uint8Array.of(0x7f))).toBeGreaterThan(0);
});

test("parts are joined into a copy", () => {
  fc.assert(
    fc.property(fc.array(strings), (parts) => {
      expect(concatBytes(parts)).toEqual(new Uint8Array(Buffer.concat(parts)));
    }),
  );
  const part = Uint8Array.of(1);
  const whole = concatBytes([part]);
  part[0] = 9;
  expect(whole).toEqual(Uint8Array.of(1));
});

test("hex has one reading: lower case, whole bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(toHex(bytes)).toBe(Buffer.from(bytes).toString("hex"));
      expect(fromHex(toHex(bytes))).toEqual(bytes);
    }),
  );
  for (const text of ["0", "AB", "0g", " 0", "0x", "é0"]) expect(fromHex(text)).toBeUndefined();
});
