import { MemoryProjectionDisk, MemoryProjectionStore, ProjectionRunner } from "@heddle/reconcile";
import { lightProjections, MemorySource, testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";

import { Reconciler } from "./reconciler.ts";
import type { RunPlan } from "./run-plan.ts";

const once: RunPlan = { when: { mode: "continuous", everyMs: 1e9 } };

// Goal: a plan for thorough runs makes every document anew, and the other plan does not.
// Method: a projection that is right; how many documents are read is how thorough a run was.
test.each([
  ["plan", 0],
  ["thoroughPlan", 3],
] as const)("[REC-9] a run by %s reads %i of 3 documents that agree", async (plan, reads) => {
  const environment = testEnvironment(plan, { timers: "real" });
  const { hash, random, clock } = environment;
  const source = new MemorySource(hash, random);
  for (let document = 0; document < 3; document++) source.edit(`a/${document}`, { likes: 1 });
  const store = await MemoryProjectionStore.open(new MemoryProjectionDisk(), clock);
  const [projection] = lightProjections;
  const runner = new ProjectionRunner({ store, source, projection: projection!, hash, clock });
  while ((await runner.turn()) !== "idle");
  const before = source.reads;
  const parts = { store, source, environment, projections: [projection!], holder: "tests" };
  const job = { pace: { readsPerSecond: 1e9, loopShare: 1 } };
  await using reconciler = new Reconciler({ ...parts, job, [plan]: once });
  reconciler.start();
  const figures = reconciler.figures.get(projection!.name)!;
  await expect.poll(() => figures.runs.get("whole"), { timeout: 20_000 }).toBe(1);
  expect(source.reads - before).toBe(reads);
});
