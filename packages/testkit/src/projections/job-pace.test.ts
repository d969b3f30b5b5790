import { JobPace, type PaceLimits } from "@heddle/reconcile";
import { describe, expect, test } from "vitest";

import { ManualTime } from "../manual-time.ts";

/** Works `stepMs` at a time, with `reads` each, until `untilMs` of manual time have passed. */
async function work(limits: PaceLimits, step: { ms: number; reads: number }, untilMs: number) {
  const time = new ManualTime(0);
  const pace = new JobPace(limits, time, time);
  while (time.monotonicMs() < untilMs) {
    time.advance(step.ms);
    pace.count(step.reads);
    const rest = { isOver: false };
    void pace.pause().then(() => (rest.isOver = true));
    for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    while (!rest.isOver) {
      time.advance(1);
      for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    }
  }
  const { workedMs, restedMs, reads } = pace.figures;
  return {
    share: workedMs / (workedMs + restedMs),
    readsPerSecond: (reads * 1_000) / time.monotonicMs(),
  };
}

describe("JobPace", () => {
  test("[REC-7] the share of the event loop is kept, whether steps are short or long", async () => {
    for (const ms of [0.5, 3, 40]) {
      const { share } = await work(
        { readsPerSecond: 1e9, loopShare: 0.2 },
        { ms, reads: 1 },
        20_000,
      );
      expect(share).toBeLessThanOrEqual(0.201);
      expect(share).toBeGreaterThan(0.1);
    }
  });

  test("[REC-7] reads are kept below their rate, and what was not used is not saved up", async () => {
    const limits = { readsPerSecond: 500, loopShare: 1 };
    const { readsPerSecond } = await work(limits, { ms: 0.01, reads: 3 }, 10_000);
    expect(readsPerSecond).toBeLessThanOrEqual(505);
    expect(readsPerSecond).toBeGreaterThan(400);

    const time = new ManualTime(0);
    const pace = new JobPace(limits, time, time);
    time.advance(60_000);
    pace.count(50);
    let isResting = true;
    void pace.pause().then(() => (isResting = false));
    await Promise.resolve();
    time.advance(50);
    await Promise.resolve();
    expect(isResting).toBe(true);
  });

  test("a job that is told to stop does not rest to the end", async () => {
    const time = new ManualTime(0);
    const pace = new JobPace({ readsPerSecond: 1, loopShare: 1 }, time, time);
    const stopping = new AbortController();
    pace.count(100);
    const paused = pace.pause(stopping.signal);
    stopping.abort(new Error("stop"));
    await expect(paused).rejects.toThrow("stop");
    expect(time.timerCount).toBe(0);
    await expect(pace.pause(stopping.signal)).rejects.toThrow("stop");
  });
});
