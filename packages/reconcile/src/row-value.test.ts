import { HeddleErrorCode } from "@heddle/core";
import fc from "fast-check";
import { encodeUtf8 } from "lib0/string";
import { describe, expect, test } from "vitest";

import { projectionLimits } from "./projection-limits.ts";
import { decodeRowValue, encodeRowValue, equalRowValues, type RowValue } from "./row-value.ts";

const values = fc.jsonValue({ maxDepth: 4 }).filter((value) => {
  return !JSON.stringify(value).includes("\\ud") && !JSON.stringify(value).includes("__proto__");
}) as fc.Arbitrary<RowValue>;

describe("row values", () => {
  test("[PRJ-1] equal values have equal bytes, whatever order their members came in", () => {
    const a = { like: 2, by: ["ada", "bo"], open: { x: null, y: -0 } };
    const b = { open: { y: 0, x: null }, by: ["ada", "bo"], like: 2 };
    expect(encodeRowValue(a)).toEqual(encodeRowValue(b));
    expect(equalRowValues(a, b)).toBe(true);
    expect(equalRowValues(a, { ...b, like: 3 })).toBe(false);
  });

  test("[PRJ-1] what was written is read as it was", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encodeRowValue(value);
        expect(encodeRowValue(decodeRowValue(bytes))).toEqual(bytes);
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    ["not a number", Number.NaN],
    ["without an end", Number.POSITIVE_INFINITY],
    ["undefined", undefined],
    ["a member that is undefined", { a: undefined }],
    ["a hole", Array(1)],
    ["a function", () => 1],
    ["a big integer", 1n],
    ["a map", new Map()],
    ["half a surrogate", "\ud800"],
    ["half a surrogate in a name", { "\udc00": 1 }],
  ])("refuses %s", (_, value) => {
    expect(() => encodeRowValue(value as RowValue)).toThrow(
      expect.objectContaining({ code: HeddleErrorCode.projectionInvalid }),
    );
  });

  test("refuses what is too long or too deep before it is put together", () => {
    const long = "x".repeat(projectionLimits.rowValueBytesMax);
    expect(() => encodeRowValue(long)).toThrow(/longer/);
    expect(() => encodeRowValue("ü".repeat(projectionLimits.rowValueBytesMax / 2))).toThrow(
      /longer/,
    );
    let deep: RowValue = 1;
    for (let depth = 0; depth <= projectionLimits.rowValueDepthMax; depth++) deep = [deep];
    expect(() => encodeRowValue(deep)).toThrow(/deep/);
  });

  test.each(['{"b":1,"a":2}', "[1, 2]", "1.0", "-0", '"\\u0061"', "", "{", '{"a":1,"a":1}'])(
    "does not read %s, which has another writing",
    (text) => {
      expect(() => decodeRowValue(encodeUtf8(text))).toThrow(
        expect.objectContaining({ code: HeddleErrorCode.storageCorrupt }),
      );
    },
  );
});
