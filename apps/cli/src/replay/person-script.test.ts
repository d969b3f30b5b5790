import { createHash } from "node:crypto";

import { expect, test } from "vitest";

import type { Action } from "./person-script.ts";
import { personScript } from "./person-script.ts";

const isEdit = ({ name }: Action) => name !== "move" && name !== "pause";

test("a script is a pure function of seed, person and length", () => {
  const script = [...personScript("warp", 2, 3_000)];
  expect([...personScript("warp", 2, 3_000)]).toEqual(script);
  expect([...personScript("weft", 2, 3_000)]).not.toEqual(script);
  expect([...personScript("warp", 1, 3_000)]).not.toEqual(script);
});

test("a seed keeps its meaning: changing the generator makes old reports unrepeatable", () => {
  const hash = createHash("sha256");
  for (const action of personScript("golden", 0, 5_000)) hash.update(JSON.stringify(action));
  expect(hash.digest("hex")).toBe(
    "e345a56d808010ad70e82a20c2a645da0e8619ecbea529005c3e4e8c0299570f",
  );
});

test("a script has as many edits as asked for and all habits of people", () => {
  const actions = [...personScript("habits", 0, 2_000)];
  expect(actions.filter(isEdit)).toHaveLength(2_000);
  const names = new Set(actions.map(({ name }) => name));
  expect(names).toEqual(new Set(["type", "erase", "cut", "paste", "move", "pause"]));
});

test("no text holds half a character, so that an erase never halves one", () => {
  const texts = [...personScript("letters", 0, 5_000)].map((action) =>
    "text" in action ? action.text : "",
  );
  expect(texts.join("")).not.toMatch(/[\ud800-\udfff]/);
});
