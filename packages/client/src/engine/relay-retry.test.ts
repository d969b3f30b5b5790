import { fullJitter, retryLimits } from "@heddle/sync";
import { expect, test } from "vitest";

import { retryWithin } from "./relay-retry.ts";

const drawing = (byte: number) => ({
  bytes: (length: number) => new Uint8Array(length).fill(byte),
});

test("[CLT-15] no wait is longer than the application wants, and it need not want anything", () => {
  expect(retryWithin(undefined)).toEqual({});
  for (const wantedMs of [100, 2_500, 60_000]) {
    const limits = { ...retryLimits, ...retryWithin(wantedMs) };
    for (const byte of [0, 255]) {
      const waitsMs = [1, 5, 40].map((failures) => fullJitter(failures, limits, drawing(byte)));
      expect(Math.max(...waitsMs)).toBeLessThanOrEqual(wantedMs);
      expect(Math.min(...waitsMs)).toBeGreaterThanOrEqual(100);
    }
    // An open breaker takes up to one and a half times its time.
    expect(limits.openMs * 1.5).toBeCloseTo(wantedMs);
  }
  // Nobody is asked without a pause.
  expect(retryWithin(0).delayMsMin).toBe(100);
});
