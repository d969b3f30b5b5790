import { MemoryProjectionDisk, MemoryProjectionStore, ProjectionRunner } from "@heddle/reconcile";
import { lightProjections, MemorySource, testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";

import { Reconciler } from "./reconciler.ts";
import type { RunPlan } from "./run-plan.ts";

const once: RunPlan = { when: { mode: "continuous", everyMs: 1e9 } };

const [projection] = lightProjections;
const { name } = projection!;

/** A projection of three documents that is right. */
async function newSite(seed: string) {
  const environment = testEnvironment(seed, { timers: "real" });
  const { hash, random, clock } = environment;
  const source = new MemorySource(hash, random);
  for (let document = 0; document < 3; document++) source.edit(`a/${document}`, { likes: 1 });
  const store = await MemoryProjectionStore.open(new MemoryProjectionDisk(), clock);
  const runner = new ProjectionRunner({ store, source, projection: projection!, hash, clock });
  while ((await runner.turn()) !== "idle");
  const job = { pace: { readsPerSecond: 1e9, loopShare: 1 } };
  const parts = { store, source, environment, projections: [projection!], holder: "tests", job };
  return { source, environment, parts };
}

// Goal: a plan for thorough runs makes every document anew, and the other plan does not.
// Method: a projection that is right; how many documents are read is how thorough a run was.
test.each([
  ["plan", 0],
  ["thoroughPlan", 3],
] as const)("[REC-9] a run by %s reads %i of 3 documents that agree", async (plan, reads) => {
  const { source, parts } = await newSite(plan);
  const before = source.reads;
  await using reconciler = new Reconciler({ ...parts, [plan]: once });
  reconciler.start();
  const figures = reconciler.figures.get(name)!;
  await expect.poll(() => figures.runs.get("whole"), { timeout: 20_000 }).toBe(1);
  expect(source.reads - before).toBe(reads);
});

// Goal: planned runs build on those before them, and on those that people ask for; those look at everything.
test("[REC-12] planned runs are unmoved after the first, until a day is over; one that is asked for is not", async () => {
  const { environment, parts } = await newSite("unmoved");
  const plan: RunPlan = { when: { mode: "continuous", everyMs: 1 } };
  await using reconciler = new Reconciler({ ...parts, plan });
  const figures = reconciler.figures.get(name)!;
  /** Some ms later. */
  const ran = (outcome: "whole" | "unmoved"): number => {
    environment.clock.advance(2);
    return figures.runs.get(outcome)!;
  };
  reconciler.start();
  await expect.poll(() => ran("unmoved"), { timeout: 20_000 }).toBeGreaterThan(0);
  expect(ran("whole")).toBe(1);
  expect(await reconciler.run(name)).toMatchObject({ outcome: "whole" });
  expect(await reconciler.run(name, { isOnlyMoved: true })).toMatchObject({ outcome: "unmoved" });
  environment.clock.advance(24 * 60 * 60 * 1_000);
  expect(figures.wholeAgeMs).toBeGreaterThanOrEqual(24 * 60 * 60 * 1_000);
  await expect.poll(() => ran("whole"), { timeout: 20_000 }).toBe(3);
  expect(figures.wholeAgeMs).toBeLessThan(60_000);
  expect(figures.ageMs).toBeLessThan(60_000);
});
