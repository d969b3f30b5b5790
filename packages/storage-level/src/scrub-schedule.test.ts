import { testEnvironment } from "@heddle/testkit";
import { beforeEach, describe, expect, it } from "vitest";

import { ScrubSchedule } from "./scrub-schedule.ts";

describe("ScrubSchedule", () => {
  let environment: ReturnType<typeof testEnvironment>;
  let ends: ((error?: Error) => void)[];
  let begun: number;
  let schedule: ScrubSchedule;

  beforeEach(() => {
    environment = testEnvironment("scrub");
    ends = [];
    begun = 0;
    schedule = new ScrubSchedule({
      environment,
      intervalMs: 1_000,
      firstMs: 100,
      scrub: (signal) => {
        begun++;
        return new Promise((resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          ends.push((error) => (error ? reject(error) : resolve()));
        });
      },
    });
  });

  const pass = async (ms: number) => {
    environment.clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const end = async (error?: Error) => {
    ends.shift()!(error);
    await pass(0);
  };

  it("begins after a while, and again an interval after each end", async () => {
    schedule.start();
    await pass(99);
    expect(begun).toBe(0);
    await pass(1);
    expect(begun).toBe(1);
    await pass(10_000);
    expect(begun).toBe(1);
    await end();
    await pass(999);
    expect(begun).toBe(1);
    await pass(1);
    expect(begun).toBe(2);
    expect(schedule.counts).toMatchObject({ done: 1, failed: 0 });
  });

  it("counts a failure, says so, and tries again", async () => {
    schedule.start();
    await pass(100);
    await end(new Error("no room"));
    expect(schedule.counts).toEqual({ done: 0, failed: 1, lastDoneAtMs: undefined });
    expect(environment.logger.lines).toMatchObject([{ event: "store.scrub_failed" }]);
    await pass(1_000);
    expect(begun).toBe(2);
  });

  it("begins at once when it is asked to, and never twice at a time", async () => {
    schedule.start();
    schedule.soon();
    await pass(0);
    expect(begun).toBe(1);
    schedule.soon();
    await pass(500);
    expect(begun).toBe(1);
  });

  it("ends what is running when it is closed, and begins nothing more", async () => {
    schedule.start();
    await pass(100);
    await schedule.close();
    schedule.soon();
    await pass(10_000);
    expect(begun).toBe(1);
    expect(schedule.counts.failed).toBe(0);
  });
});
