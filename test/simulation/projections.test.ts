import { ReconcileJob } from "@heddle/reconcile";
import { lightProjections, ProjectionWorld, type ProjectionFaults } from "@heddle/testkit";
import { expect, test } from "vitest";

// Goal: whatever happens to a projection, it equals its source once everything has come to rest.
// Method: worlds in which events are dropped and repeated, feeds forgotten, processes killed between output and marker,
// bits flipped and rebuilds begun; then the reconciliation job as it ships, and a full recount that shares no code.
// HEDDLE_SEED=n repeats one world, HEDDLE_SEEDS=n runs so many.

/** Each is one world; projections take turns, so that a thousand seeds cost no more than a thousand worlds. */
const seedsRun = Number(process.env["HEDDLE_SEEDS"] ?? 1_000);
const steps = 32;
const asked = process.env["HEDDLE_SEED"];

/** Seeds of one projection: those that it is its turn with. */
function seedsOf(turn: number): readonly number[] {
  const all = asked ? [Number(asked)] : Array.from({ length: seedsRun }, (_, index) => index + 1);
  return all.filter((seed) => seed % lightProjections.length === turn);
}

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

test("there are as many seeds as were asked for, each of them once", () => {
  const all = lightProjections.flatMap((_, turn) => seedsOf(turn));
  expect(new Set(all).size).toBe(asked ? 1 : seedsRun);
  expect(all).toHaveLength(asked ? 1 : seedsRun);
});

test.each(lightProjections.map((projection, turn) => [projection.name, projection, turn] as const))(
  "[PRJ-13] %s equals its source after drops, repeats, crashes, flips and rebuilds",
  async (_, projection, turn) => {
    const seeds = seedsOf(turn);
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
    if (seeds.length < 100) return;
    for (const [fault, count] of Object.entries(total)) {
      expect(count, fault).toBeGreaterThan(seeds.length / 20);
    }
  },
);
