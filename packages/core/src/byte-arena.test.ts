import * as fc from "fast-check";
import { expect, test } from "vitest";

import { ByteArena } from "./byte-arena.ts";

test("no byte is handed out twice, and all of them are zero", () => {
  const lengths = fc.array(fc.nat(40), { maxLength: 60 });
  fc.assert(
    fc.property(lengths, (wanted) => {
      const arena = new ByteArena(128);
      const taken = wanted.map((length) => arena.take(length));
      expect(taken.map(({ length }) => length)).toEqual(wanted);
      expect(taken.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
      for (const [index, bytes] of taken.entries()) bytes.fill(index + 1);
      for (const [index, bytes] of taken.entries()) {
        expect(bytes.every((byte) => byte === index + 1)).toBe(true);
      }
    }),
  );
});

test("large arrays do not share a buffer", () => {
  const arena = new ByteArena(128);
  expect(arena.take(10).buffer.byteLength).toBe(128);
  expect(arena.take(64).buffer.byteLength).toBe(64);
});
