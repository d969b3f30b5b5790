import { ManualTime, RecordedLog } from "@heddle/testkit";
import { describe, expect, test } from "vitest";

import { PlannedJob } from "./planned-job.ts";
import { PlannedRuns, type RunPlan } from "./run-plan.ts";

const minute = 60_000;

/** A job whose runs end when the test says so. */
class JobUnderTest {
  readonly time: ManualTime;
  readonly logger = new RecordedLog();
  readonly job: PlannedJob;
  readonly startedAt: string[] = [];
  #end: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(at: string, plan: RunPlan) {
    this.time = new ManualTime(Date.parse(at));
    const { time, logger } = this;
    const environment = { clock: time, scheduler: time, logger };
    const run = (signal: AbortSignal): Promise<void> => this.#run(signal);
    this.job = new PlannedJob({ environment, runs: new PlannedRuns(plan), name: "likes", run });
    this.job.start();
  }

  async advance(ms: number): Promise<void> {
    this.time.advance(ms);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }

  async end(error?: Error): Promise<void> {
    if (error) this.#end?.reject(error);
    else this.#end?.resolve();
    await this.advance(0);
  }

  #run(signal: AbortSignal): Promise<void> {
    this.startedAt.push(new Date(this.time.nowMs()).toISOString());
    return new Promise((resolve, reject) => {
      this.#end = { resolve, reject };
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
  }
}

describe("PlannedJob", () => {
  test("[REC-9] continuous: one run at a time, each so long after the end of the one before", async () => {
    const plan: RunPlan = { when: { mode: "continuous", everyMs: 10 * minute } };
    const site = new JobUnderTest("2026-11-21T12:00:00Z", plan);
    await site.advance(0);
    expect(site.startedAt).toHaveLength(1);
    await site.advance(60 * minute);
    expect(site.startedAt).toHaveLength(1);
    await site.end();
    expect(site.job.nextRunAtMs).toBe(site.time.nowMs() + 10 * minute);
    await site.advance(10 * minute - 1);
    expect(site.startedAt).toHaveLength(1);
    await site.advance(1);
    expect(site.startedAt).toHaveLength(2);
    await site.end();
    expect(site.job.counts).toEqual({ done: 2, failed: 0, cutShort: 0 });
  });

  test("[REC-9] a run is cut short when its hours are over, and goes on in the next ones", async () => {
    const offPeak = { from: "22:00", to: "06:00" };
    const when = { mode: "scheduled", pattern: "0 23 * * *" } as const;
    const site = new JobUnderTest("2026-11-21T12:00:00Z", { when, offPeak, timeZone: "UTC" });
    await site.advance(24 * 60 * minute);
    expect(site.startedAt).toEqual(["2026-11-21T23:00:00.000Z"]);
    expect(site.job.counts).toEqual({ done: 0, failed: 0, cutShort: 1 });
    await site.advance(10 * 60 * minute);
    expect(site.startedAt.at(-1)).toBe("2026-11-22T22:00:00.000Z");
    await site.job.close();
  });

  test("a run that fails is counted and logged, and tried again after a while that grows", async () => {
    const plan: RunPlan = { when: { mode: "continuous", everyMs: 1 } };
    const site = new JobUnderTest("2026-11-21T12:00:00Z", plan);
    await site.advance(0);
    const waits: number[] = [];
    for (let failure = 0; failure < 4; failure++) {
      await site.end(new Error("the disk is slow"));
      waits.push(site.job.nextRunAtMs! - site.time.nowMs());
      await site.advance(waits.at(-1)!);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(site.job.counts.failed).toBe(4);
    expect(site.logger.lines.filter(({ event }) => event === "reconcile.run_failed")).toHaveLength(
      4,
    );
    await site.end();
    expect(site.job.nextRunAtMs! - site.time.nowMs()).toBe(1);
  });

  test("a wall clock that is set does not start a run early, nor a day late", async () => {
    const when = { mode: "scheduled", pattern: "0 12 * * *" } as const;
    const site = new JobUnderTest("2026-11-21T00:00:00Z", { when, timeZone: "UTC" });
    site.time.setWall(Date.parse("2026-11-20T00:00:00Z"));
    await site.advance(13 * 60 * minute);
    expect(site.startedAt).toEqual([]);
    site.time.setWall(Date.parse("2026-11-21T12:00:01Z"));
    await site.advance(60 * minute);
    expect(site.startedAt).toHaveLength(1);
    await site.job.close();
  });

  test("close waits for the run that it stops, and none follows", async () => {
    const plan: RunPlan = { when: { mode: "continuous", everyMs: 1 } };
    const site = new JobUnderTest("2026-11-21T12:00:00Z", plan);
    await site.advance(0);
    await site.job.close();
    await site.advance(60 * minute);
    expect(site.startedAt).toHaveLength(1);
    expect(site.job.counts).toEqual({ done: 0, failed: 0, cutShort: 0 });
    expect(site.time.timerCount).toBe(0);
  });
});
