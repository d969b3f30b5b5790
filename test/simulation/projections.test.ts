import { ReconcileJob } from "@heddle/reconcile";
import { lightProjections, ProjectionWorld, type ProjectionFaults } from "@heddle/testkit";
import { expect, test } from "vitest";

// Goal: whatever happens to a projection, it equals its source once everything has come to rest.
// Method: worlds in which events are dropped and repeated, feeds forgotten, processes killed between output and marker,
// bits flipped and rebuilds begun; then the reconciliation job as it ships, and a full recount that shares no code.
// HEDDLE_SEED=n repeats one world.

const seedsEach = 250;
const steps = 32;
const asked = process.env["HEDDLE_SEED"];

async function reconcile(world: ProjectionWorld): Promise<void> {
  const { projection, source, store, environment } = world;
  const job = ReconcileJob.of(
    { projection, source, store, environment },
    {
      name: "sim",
      holder: "sim",
      correctionsMax: 10_000,
      pace: { readsPerSecond: 1e9, loopShare: 1 },
      feedWaitMs: 0,
    },
  );
  const report = await job.run();
  if (report.outcome !== "whole") throw new Error(`the job ended as ${report.outcome}`);
}

test.each(lightProjections)(
  "[PRJ-13] $name equals its source after drops, repeats, crashes, flips and rebuilds",
  async (projection) => {
    const seeds = asked
      ? [Number(asked)]
      : Array.from({ length: seedsEach }, (_, index) => index + 1);
    const total: Partial<ProjectionFaults> = {};
    for (const seed of seeds) {
      const world = await ProjectionWorld.of(seed, projection);
      await world.live(steps);
      expect(await world.end(reconcile), `HEDDLE_SEED=${seed}`).toEqual([]);
      for (const [fault, count] of Object.entries(world.faults)) {
        const name = fault as keyof ProjectionFaults;
        total[name] = (total[name] ?? 0) + count;
      }
    }
    // Each kind of trouble did happen, often.
    if (!asked)
      for (const [fault, count] of Object.entries(total))
        expect(count, fault).toBeGreaterThan(seedsEach / 10);
  },
);
