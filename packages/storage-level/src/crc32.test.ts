import { crc32 as zlibCrc32 } from "node:zlib";

import { seededRandom } from "@heddle/testkit";
import { expect, test } from "vitest";

import { crc32, ownCrc32 } from "./crc32.ts";

test("[STO-3] checksums are the same with and without native code, in one part or in several", () => {
  const { bytes } = seededRandom("crc32");
  for (const length of [0, 1, 63, 64, 65, 1_000, 70_001]) {
    const whole = bytes(length);
    const cut = Math.floor(length / 3);
    const expected = zlibCrc32(whole);
    expect(ownCrc32(whole, 0)).toBe(expected);
    expect(crc32(whole)).toBe(expected);
    expect(crc32(whole.subarray(0, cut), whole.subarray(cut))).toBe(expected);
  }
});
