import { expect, test } from "vitest";

import { CatchUpBudget } from "./catch-up-budget.ts";

test("[RLY-15] a frame that many read counts once, until the last has read it", () => {
  const budget = new CatchUpBudget<string>(100);
  const frame = new Uint8Array(60);
  expect([budget.begin("ada", frame), budget.begin("bo", frame)]).toEqual([[], []]);
  expect(budget.used).toBe(60);
  budget.end("ada");
  expect(budget.used).toBe(60);
  budget.end("bo");
  budget.end("bo");
  expect(budget.used).toBe(0);
});

test("[RLY-15] over the bound the oldest go, as many as it takes, and never the newest", () => {
  const budget = new CatchUpBudget<string>(100);
  budget.begin("first", new Uint8Array(40));
  budget.begin("second", new Uint8Array(40));
  expect(budget.begin("third", new Uint8Array(50))).toEqual(["first"]);
  budget.end("first");
  expect(budget.begin("giant", new Uint8Array(500))).toEqual(["second", "third"]);
});

test("[RLY-15] a reader has one catch-up under way", () => {
  const budget = new CatchUpBudget<string>(100);
  budget.begin("ada", new Uint8Array(40));
  budget.begin("ada", new Uint8Array(30));
  expect(budget.used).toBe(30);
});
