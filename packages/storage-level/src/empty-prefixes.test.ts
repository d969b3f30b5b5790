import { expect, test } from "vitest";

import { EmptyPrefixes } from "./empty-prefixes.ts";
import type { KeyRange } from "./key-writer.ts";
import type { Operation } from "./level-database.ts";

const range = (...gte: number[]): KeyRange => ({
  gte: Uint8Array.of(...gte),
  lt: Uint8Array.of(...gte.slice(0, -1), gte.at(-1)! + 1),
});
const put = (...key: number[]): Operation => {
  return { type: "put", key: Uint8Array.of(...key), value: new Uint8Array() };
};

test("a kind is looked for once, in the whole of its own range", async () => {
  const looks: KeyRange[] = [];
  const prefixes = new EmptyPrefixes(async (asked) => looks.push(asked) > 0);
  expect(await prefixes.covers(range(7, 1))).toBe(true);
  expect(await prefixes.covers(range(7, 2))).toBe(true);
  expect(await prefixes.covers(range(7))).toBe(true);
  expect(looks).toEqual([range(7)]);
});

test("a kind that has something is read from the disk", async () => {
  const prefixes = new EmptyPrefixes(async () => false);
  expect(await prefixes.covers(range(7, 1))).toBe(false);
});

test("a kind counts as used as soon as it may be written, deletes aside", async () => {
  const prefixes = new EmptyPrefixes(async () => true);
  expect(await prefixes.covers(range(7, 1))).toBe(true);
  prefixes.note([{ type: "del", key: Uint8Array.of(7, 1) }]);
  expect(await prefixes.covers(range(7, 1))).toBe(true);
  prefixes.note([put(7, 9)]);
  expect(await prefixes.covers(range(7, 1))).toBe(false);
});

test("what is written during the look wins over what the look saw", async () => {
  const answers: ((isEmpty: boolean) => void)[] = [];
  const prefixes = new EmptyPrefixes(() => new Promise((resolve) => answers.push(resolve)));
  const covered = prefixes.covers(range(7, 1));
  prefixes.note([put(7, 1)]);
  answers[0]!(true);
  expect(await covered).toBe(false);
});

test("a range over two kinds is never taken for empty, nor one whose look failed", async () => {
  const prefixes = new EmptyPrefixes(async () => true);
  expect(await prefixes.covers({ gte: Uint8Array.of(7), lt: Uint8Array.of(8, 0) })).toBe(false);
  const broken = new EmptyPrefixes(() => Promise.reject(new Error("damaged")));
  await expect(broken.covers(range(7, 1))).rejects.toThrow("damaged");
  await expect(broken.covers(range(7, 1))).rejects.toThrow("damaged");
});
