import { expect, test } from "vitest";

import { fullJitter, mayAttempt, nextRetryState, type RetryState } from "./retry-policy.ts";

/** Draws the same fraction for ever. */
const drawing = (fraction: number) => ({
  bytes: (length: number) => new Uint8Array(length).fill(Math.min(255, fraction * 256)),
});
const limits = { delayMsMin: 200, delayMsMax: 30_000, failuresMax: 3, openMs: 60_000 };
const at = (nowMs: number, fraction = 0.5) => ({ nowMs, random: drawing(fraction), limits });

function afterFailures(count: number): RetryState {
  let state: RetryState = { name: "idle" };
  for (let failure = 0; failure < count; failure++) {
    state = nextRetryState(state, { name: "attempt" }, at(0));
    state = nextRetryState(state, { name: "failed" }, at(0));
  }
  return state;
}

test("[WIR-13] delays double up to a bound and are spread over all of it", () => {
  const bounds = [1, 2, 3, 20].map((failures) => {
    return [0, 1].map((fraction) => Math.round(fullJitter(failures, limits, drawing(fraction))));
  });
  expect(bounds.map(([least]) => least)).toEqual([200, 200, 200, 200]);
  expect(bounds.map(([, most]) => most)).toEqual([400, 800, 1_600, 30_000]);
});

test("[WIR-13] after too many failures the breaker opens, lets one through, and opens again or closes", () => {
  expect(afterFailures(2)).toMatchObject({ name: "waiting", failures: 2 });
  const open = afterFailures(3);
  expect(open).toMatchObject({ name: "open", failures: 3 });
  const { dueMs } = open as Extract<RetryState, { name: "open" }>;
  expect([dueMs - 1, dueMs].map((nowMs) => mayAttempt(open, nowMs))).toEqual([false, true]);
  const halfOpen = nextRetryState(open, { name: "attempt" }, at(dueMs));
  expect(halfOpen).toMatchObject({ name: "trying", isHalfOpen: true });
  expect(mayAttempt(halfOpen, dueMs)).toBe(false);
  expect(nextRetryState(halfOpen, { name: "failed" }, at(dueMs))).toMatchObject({ name: "open" });
  const live = nextRetryState(halfOpen, { name: "succeeded" }, at(dueMs));
  expect(live).toEqual({ name: "live" });
  expect(nextRetryState(live, { name: "failed" }, at(dueMs))).toMatchObject({
    name: "waiting",
    failures: 1,
  });
});

test("[WIR-13] who was refused for good stops until somebody says otherwise", () => {
  const trying = nextRetryState({ name: "idle" }, { name: "attempt" }, at(0));
  const stopped = nextRetryState(trying, { name: "refused", code: 4403 }, at(0));
  expect(stopped).toEqual({ name: "stopped", code: 4403 });
  expect(mayAttempt(stopped, Number.MAX_SAFE_INTEGER)).toBe(false);
  expect(nextRetryState(stopped, { name: "failed" }, at(9))).toBe(stopped);
  expect(nextRetryState(stopped, { name: "reset" }, at(9))).toEqual({ name: "idle" });
  expect(nextRetryState({ name: "live" }, { name: "reset" }, at(9))).toEqual({ name: "live" });
});
