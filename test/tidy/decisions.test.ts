import { describe, expect, test } from "vitest";

import { files, read } from "./repository.ts";

// Goal: whoever asks "why is it like this" finds a dated answer.
// Method: read docs/adr and its index.

const folder = "docs/adr/";
const records = files.filter((file) => file.startsWith(folder) && !file.endsWith("/README.md"));

describe("docs/adr", () => {
  test("holds numbered records, each number once", () => {
    expect(records.filter((file) => !/^docs\/adr\/\d{4}-[a-z0-9-]+\.md$/.test(file))).toEqual([]);
    const numbers = records.map((file) => Number(file.slice(folder.length).slice(0, 4)));
    expect(numbers.length).toBeGreaterThan(0);
    // Numbers are given out before the records land, so that two branches never take the same one.
    expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
  });

  test.each(records)("%s has its number, a status and a date", (file) => {
    const text = read(file);
    const number = file.slice(folder.length).slice(0, 4);
    expect(text.split("\n")[0]).toMatch(new RegExp(`^# ADR-${number}: \\S`));
    expect(text).toMatch(/^Status: (?:proposed|accepted|superseded|rejected)\b/m);
    expect(text).toMatch(/^(?:Status|Date): .*\b20\d\d-\d\d-\d\d\b/m);
  });

  test("has an index that links every record, and nothing else", () => {
    expect(files).toContain(`${folder}README.md`);
    const linked = [...read(`${folder}README.md`).matchAll(/\]\((\d{4}-[^)#]+)\)/g)];
    const unique = new Set(linked.map(([, file]) => folder + file!));
    expect([...unique].toSorted()).toEqual(records);
  });
});
