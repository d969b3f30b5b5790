import { readlinkSync } from "node:fs";
import { platform } from "node:os";

import { expect, test } from "vitest";

import { threadCpuMs } from "./node-thread-cpu.ts";
import { TrialClock } from "./node-trial-clock.ts";
import { Phase } from "./node-trial-program.ts";

const trial = { urgency: "urgent", steps: [], budgetMs: 60, baseMsMax: 60 } as const;
/** Only Linux says which thread this is, and what it has used. */
const thread = platform() === "linux" ? readlinkSync("/proc/thread-self") : undefined;
const isTold = threadCpuMs(thread) !== undefined;

function usedMs(): number {
  return threadCpuMs(thread) ?? performance.now();
}

function work(durationMs: number): void {
  const endMs = usedMs() + durationMs;
  while (usedMs() < endMs);
}

test("[DOC-13] a thread that is kept waiting uses up no time of its trial, where that can be told", async () => {
  const clock = new TrialClock(trial, () => thread);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(clock.look(Phase.base)?.by).toBe(isTold ? undefined : "trial");
  work(100);
  expect(clock.look(Phase.base)).toEqual({ by: "trial", maxMs: 60 });
});

test("[DOC-13] a thread that has not said who it is begins to count when it does", () => {
  let known: string | undefined;
  const clock = new TrialClock({ ...trial, baseMsMax: 10_000 }, () => known);
  work(20);
  expect(clock.look(Phase.base)).toBeUndefined();
  known = thread;
  expect(clock.look(Phase.steps)).toBeUndefined();
  work(100);
  expect(clock.look(Phase.steps)).toEqual({ by: "trial", maxMs: 60 });
});

test("loading the result may take as long as the base took, and a share of it when alone", () => {
  const clock = new TrialClock(
    { ...trial, baseMsMax: 10_000, alone: { share: 0.5 } },
    () => thread,
  );
  work(40);
  expect(clock.look(Phase.late)).toBeUndefined();
  work(400);
  const { maxMs } = clock.look(Phase.late)!;
  expect(maxMs).toBeGreaterThanOrEqual((60 + 3 * 40) / 2);
});
