import { expect, test } from "vitest";

import { TokenBucket } from "./token-bucket.ts";

const rate = { perSecond: 10, burst: 5 };

test("[RLY-11] a burst goes at once, then the rate, and a pause fills up no more than a burst", () => {
  const bucket = new TokenBucket(rate, 0);
  const taken = (nowMs: number): number => {
    let count = 0;
    while (bucket.tryTake(1, nowMs)) count++;
    return count;
  };
  expect([taken(0), taken(0), taken(100), taken(350), taken(60_000)]).toEqual([5, 0, 1, 2, 5]);
});

test("[RLY-13] what was taken on credit is paid back with time", () => {
  const bucket = new TokenBucket(rate, 0);
  bucket.take(25, 0);
  expect(bucket.debtMs(0)).toBe(2_000);
  expect(bucket.debtMs(1_500)).toBe(500);
  expect([bucket.debtMs(2_000), bucket.tryTake(1, 2_000)]).toEqual([0, false]);
  expect(bucket.isFull(2_400)).toBe(false);
  expect(bucket.isFull(2_500)).toBe(true);
});

test("[RLY-11] a clock that stands still or goes back gives nothing away", () => {
  const bucket = new TokenBucket(rate, 1_000);
  bucket.take(5, 1_000);
  expect(bucket.tryTake(1, 900)).toBe(false);
  expect(bucket.tryTake(1, 1_000)).toBe(false);
  expect(bucket.tryTake(1, 1_100)).toBe(true);
});
