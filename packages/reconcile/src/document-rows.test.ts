import { HeddleErrorCode } from "@heddle/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Row } from "./define-projection.ts";
import { collectRows, rowsDigest } from "./document-rows.ts";
import { nodeHash as hash } from "./hash.fixture.ts";
import { projectionLimits } from "./projection-limits.ts";

const refused = expect.objectContaining({ code: HeddleErrorCode.projectionInvalid });

const sum = (a: unknown, b: unknown) => (a as number) + (b as number);

describe("rows of a document", () => {
  test.each([
    [
      "a key twice",
      [
        ["a", 1],
        ["a", 2],
      ],
    ],
    ["a key that is no text", [[7, 1]]],
    ["a key with an end in it", [["a\0b", 1]]],
    ["a key that is too long", [["x".repeat(257), 1]]],
    ["a value that is no JSON", [["a", undefined]]],
    ["a value that is too long", [["a", "x".repeat(projectionLimits.rowValueBytesMax)]]],
  ])("refuses %s", (_, rows) => {
    expect(() => collectRows("likes", rows as unknown as Row[])).toThrow(refused);
  });

  test("refuses more of them than a batch takes, and stops there", () => {
    let given = 0;
    const endless = (function* (): Iterable<Row> {
      for (;;) yield [`key ${given++}`, 1];
    })();
    expect(() => collectRows("likes", endless)).toThrow(refused);
    expect(given).toBeLessThanOrEqual(projectionLimits.rowsPerDocumentMax + 1);
    const large = Array.from({ length: 200 }, (_, index): Row => [`${index}`, "x".repeat(60_000)]);
    expect(() => collectRows("likes", large)).toThrow(refused);
  });

  test("combines what a fold gives twice", () => {
    expect(
      collectRows(
        "likes",
        [
          ["a", 1],
          ["b", 5],
          ["a", 2],
        ],
        sum,
      ),
    ).toEqual(
      new Map([
        ["a", 3],
        ["b", 5],
      ]),
    );
  });

  test("[PRJ-1] have one digest in every order, and another as soon as one differs", () => {
    const rows = fc.uniqueArray(fc.tuple(fc.string({ maxLength: 4 }), fc.integer()), {
      selector: ([key]) => key,
      maxLength: 6,
    });
    const pairs = rows.chain((all) => {
      return fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }));
    });
    fc.assert(
      fc.property(pairs, ([all, shuffled]) => {
        const digest = rowsDigest(hash, new Map(all));
        expect(rowsDigest(hash, new Map(shuffled))).toBe(digest);
        expect(rowsDigest(hash, new Map([...all, ["other", 1]]))).not.toBe(digest);
      }),
    );
    // Bounds between a key and a value, and between rows, are part of it.
    expect(rowsDigest(hash, new Map([["a", 1]]))).not.toBe(rowsDigest(hash, new Map([["a1", 1]])));
  });
});
