import { toHex } from "@heddle/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { decodePath, encodePath, isPathPart, rangeUnder } from "./record-path.ts";

const parts = fc.array(
  fc.string({ unit: fc.constantFrom("a", "b", "\u0001", "ü", "😀", "/"), maxLength: 3 }),
  { minLength: 1, maxLength: 4 },
);

describe("paths", () => {
  test("come back from their bytes", () => {
    fc.assert(
      fc.property(parts, (path) => {
        expect(decodePath(encodePath(path))).toEqual(path);
      }),
    );
  });

  test("lie under exactly those that they begin with", () => {
    fc.assert(
      fc.property(parts, parts, (under, path) => {
        const key = toHex(encodePath(path));
        const { gte, lt } = rangeUnder(under);
        const isInRange = key >= toHex(gte) && key < toHex(lt);
        expect(isInRange).toBe(under.every((part, index) => path[index] === part));
      }),
    );
  });

  test.each([[[]], [[0x61]], [[0xff, 0]], [[0xc3, 0]], [[0xed, 0xa0, 0x80, 0]]])(
    "bytes %j are none",
    (bytes) => {
      expect(decodePath(Uint8Array.from(bytes))).toBeUndefined();
    },
  );

  test("have no end and no half surrogate in a part", () => {
    expect(isPathPart("a\0b")).toBe(false);
    expect(isPathPart("\ud800")).toBe(false);
    expect(() => encodePath(["a\0b"])).toThrow(/invariant/);
    expect(() => encodePath(["x".repeat(2000)])).toThrow(/invariant/);
  });
});
