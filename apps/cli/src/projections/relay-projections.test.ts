import { expect, test } from "vitest";

import { main } from "../main.ts";
import { backgroundJobOf, reconcilePlanOf, thoroughPlanOf } from "./relay-projections.ts";

// Goal: what an operator says of jobs beside a relay is what they keep to, and a slip in it starts no relay.

test("[REC-7] [REC-12] flags say how often everything is looked at, and what a job may take", () => {
  const flags = { reconcileWholeHours: 12, reconcileShare: 0.05, reconcileReads: 500 };
  expect(backgroundJobOf(flags)).toEqual({
    wholeLookMs: 43_200_000,
    pace: { readsPerSecond: 500, loopShare: 0.05 },
  });
});

test("[REC-9] a plan is continuous, a pattern with hours of a time zone, or none", () => {
  expect(reconcilePlanOf({ reconcile: "off" })).toBeUndefined();
  expect(reconcilePlanOf({ reconcile: "continuous" })?.when.mode).toBe("continuous");
  const hours = { reconcileHours: "22:00-06:00", reconcileZone: "Europe/Berlin" };
  const nightly = { offPeak: { from: "22:00", to: "06:00" }, timeZone: "Europe/Berlin" };
  const when = { mode: "scheduled", pattern: "30 3 * * *" };
  expect(reconcilePlanOf({ reconcile: "30 3 * * *", ...hours })).toEqual({ when, ...nightly });
  const thorough = { reconcile: "continuous", reconcileThorough: "30 3 * * *", ...hours };
  expect(thoroughPlanOf(thorough)).toEqual({ when, ...nightly });
  for (const wrong of [
    () => reconcilePlanOf({ reconcile: "continuous", reconcileHours: "at night" }),
    () => thoroughPlanOf({ reconcile: "off", reconcileThorough: "continuous" }),
  ]) {
    expect(wrong).toThrow(expect.objectContaining({ code: "HEDDLE_CONFIG_INVALID" }));
  }
});

test.each([
  ["--reconcile-share", "0"],
  ["--reconcile-share", "1.5"],
  ["--reconcile-reads", "0"],
  ["--reconcile-reads", "many"],
  ["--reconcile-whole-hours", "soon"],
])("%s %s is wrong usage", async (flag, value) => {
  const io = { out: () => undefined, err: () => undefined, isTTY: false };
  expect(await main(["relay", flag, value], io, AbortSignal.abort())).toBe(2);
});
