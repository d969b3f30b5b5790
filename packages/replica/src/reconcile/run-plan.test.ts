import { describe, expect, test } from "vitest";

import { PlannedRuns, type RunPlan } from "./run-plan.ts";

const at = (text: string): number => Date.parse(text);
const iso = (ms: number | undefined): string | undefined => {
  return ms === undefined ? undefined : new Date(ms).toISOString();
};
const nights = { from: "22:00", to: "06:00" };

describe("PlannedRuns", () => {
  test("continuous: at once, then so long after the end of the last one", () => {
    const runs = new PlannedRuns({ when: { mode: "continuous", everyMs: 60_000 } });
    expect(runs.nextMs(1_000, { isCutShort: false })).toBe(1_000);
    expect(runs.nextMs(5_000, { endedMs: 4_000, isCutShort: false })).toBe(64_000);
    expect(runs.openUntilMs(5_000)).toBe(Infinity);
  });

  test("scheduled: by a pattern in a time zone, across the change of clocks", () => {
    const when = { mode: "scheduled", pattern: "30 3 * * *" } as const;
    const runs = new PlannedRuns({ when, timeZone: "Europe/Berlin" });
    const next = (after: string) => iso(runs.nextMs(at(after), { isCutShort: false }));
    expect(next("2026-10-24T12:00:00Z")).toBe("2026-10-25T02:30:00.000Z");
    expect(next("2026-10-23T12:00:00Z")).toBe("2026-10-24T01:30:00.000Z");
  });

  test("off-peak hours are those of the wall clock: a night with an hour twice is an hour longer", () => {
    const when = { mode: "continuous", everyMs: 1 } as const;
    const runs = new PlannedRuns({ when, offPeak: nights, timeZone: "Europe/Berlin" });
    expect(runs.openUntilMs(at("2026-11-21T12:00:00Z"))).toBeUndefined();
    expect(iso(runs.openUntilMs(at("2026-11-21T23:00:00Z")))).toBe("2026-11-22T05:00:00.000Z");
    // From 22:00 in summer time, UTC+2, to 06:00 in winter time, UTC+1.
    expect(runs.openUntilMs(at("2026-10-24T19:59:59Z"))).toBeUndefined();
    expect(iso(runs.openUntilMs(at("2026-10-24T20:30:00Z")))).toBe("2026-10-25T05:00:00.000Z");
  });

  test("a run that its hours cut short goes on when the next ones begin", () => {
    const when = { mode: "scheduled", pattern: "0 23 * * 6" } as const;
    const runs = new PlannedRuns({ when, offPeak: nights, timeZone: "UTC" });
    const cut = { endedMs: at("2026-11-22T06:00:00Z"), isCutShort: true };
    expect(iso(runs.nextMs(at("2026-11-22T06:00:00Z"), cut))).toBe("2026-11-22T22:00:00.000Z");
    const whole = { ...cut, isCutShort: false };
    expect(iso(runs.nextMs(at("2026-11-22T06:00:00Z"), whole))).toBe("2026-11-28T23:00:00.000Z");
  });

  test("what is due outside of the hours waits for them", () => {
    const when = { mode: "scheduled", pattern: "0 12 * * *" } as const;
    const runs = new PlannedRuns({ when, offPeak: nights, timeZone: "UTC" });
    const due = runs.nextMs(at("2026-11-21T10:00:00Z"), { isCutShort: false });
    expect(iso(due)).toBe("2026-11-21T22:00:00.000Z");
  });

  test.each<[string, RunPlan]>([
    ["a pattern", { when: { mode: "scheduled", pattern: "every day" } }],
    ["a day that never comes", { when: { mode: "scheduled", pattern: "0 0 30 2 *" } }],
    ["a time zone", { when: { mode: "scheduled", pattern: "0 0 * * *" }, timeZone: "Mars/Base" }],
    [
      "an hour",
      { when: { mode: "continuous", everyMs: 1 }, offPeak: { from: "7pm", to: "06:00" } },
    ],
    [
      "no hours",
      { when: { mode: "continuous", everyMs: 1 }, offPeak: { from: "06:00", to: "06:00" } },
    ],
  ])("%s that is none is refused with a code", (_, plan) => {
    expect(() => new PlannedRuns(plan)).toThrow(
      expect.objectContaining({ code: "HEDDLE_CONFIG_INVALID" }),
    );
  });
});
