import { describe, expect, test } from "vitest";

import { files, isCode, isTest, read, withoutComments } from "./repository.ts";

// Goal: no promise without a test, no test for a promise that nobody made.
// Method: compare the numbers of docs/guarantees.md with those in test titles and in the source.

const promised = [...read("docs/guarantees.md").matchAll(/^- \*\*([A-Z]{3}-\d+)\*\* /gm)].map(
  ([, number]) => number!,
);
const families = [...new Set(promised.map((number) => number.slice(0, 3)))].join("|");

/** Contract suites of the testkit are tests too: implementations run them under their titles. */
const testFiles = files.filter((file) => {
  return isCode(file) && (isTest(file) || file.startsWith("packages/testkit/src/"));
});

/** A title begins with its promises: `"[LOG-1] ..."`, `"[LOG-1, LOG-3] ..."`, `"[LOG-1] [LOG-3] ..."`. */
const cited = new Map<string, string[]>();
for (const file of testFiles) {
  for (const [title] of withoutComments(read(file)).matchAll(
    /["'`](?:\[[A-Z]{3}-\d+(?:, ?[A-Z]{3}-\d+)*\] ?)+/g,
  )) {
    for (const [number] of title.matchAll(/[A-Z]{3}-\d+/g)) {
      cited.set(number, [...(cited.get(number) ?? []), file]);
    }
  }
}

describe("docs/guarantees.md", () => {
  test("numbers each promise once and without gaps", () => {
    const expected = [...new Set(promised.map((number) => number.slice(0, 3)))].flatMap(
      (family) => {
        const count = promised.filter((number) => number.startsWith(family)).length;
        return Array.from({ length: count }, (_, index) => `${family}-${index + 1}`);
      },
    );
    expect(promised.length).toBeGreaterThan(0);
    expect(promised).toEqual(expected);
  });

  test.each(promised)("%s is cited by the title of a test", (number) => {
    expect(cited.get(number) ?? []).not.toEqual([]);
  });

  test("titles cite only promises that exist", () => {
    const unknown = [...cited].filter(([number]) => !promised.includes(number));
    expect(unknown).toEqual([]);
  });

  test("source and documents mention only promises that exist", () => {
    const pattern = new RegExp(`\\b(?:${families})-\\d+\\b`, "g");
    const unknown = files
      .filter((file) => isCode(file) || file.endsWith(".md"))
      .flatMap((file) => {
        const numbers = new Set(read(file).match(pattern) ?? []);
        return [...numbers]
          .filter((number) => !promised.includes(number))
          .map((number) => `${file}: ${number}`);
      });
    expect(unknown).toEqual([]);
  });
});
