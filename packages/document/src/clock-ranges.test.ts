import * as fc from "fast-check";
import { expect, test } from "vitest";

import { runs } from "./sessions.fixture.ts";
import { ClockRanges } from "./clock-ranges.ts";
import { ClockSteps } from "./clock-steps.ts";

const range = fc
  .tuple(fc.nat(60), fc.integer({ min: 1, max: 6 }))
  .map(([clock, length]) => [clock, clock + length] as const);

function clocksOf(pairs: readonly number[]): number[] {
  const clocks: number[] = [];
  for (let index = 0; index < pairs.length; index += 2) {
    for (let clock = pairs[index]!; clock < pairs[index + 1]!; clock++) clocks.push(clock);
  }
  return clocks;
}

/** Ascending and with at least one clock between two ranges. */
function expectCanonical(pairs: readonly number[]): void {
  for (let index = 1; index < pairs.length; index++) {
    expect(pairs[index]!).toBeGreaterThan(pairs[index - 1]!);
  }
}

test("[DOC-2] ranges behave as a set of clocks", () => {
  const batches = fc.array(fc.array(range, { maxLength: 12 }), { maxLength: 6 });
  fc.assert(
    fc.property(batches, range, (batches, [from, to]) => {
      const set = new Set<number>();
      const ranges = new ClockRanges();
      for (const batch of batches) {
        const sorted = new ClockRanges();
        for (const [clock, end] of batch) sorted.add(clock, end);
        ranges.addAll(sorted.pairs);
        for (const clock of clocksOf(sorted.pairs)) set.add(clock);
        expectCanonical(ranges.pairs);
      }
      expect(clocksOf(ranges.pairs)).toEqual(Array.from(set).toSorted((a, b) => a - b));
      for (let clock = 0; clock < 70; clock++) expect(ranges.has(clock)).toBe(set.has(clock));
      const missing: number[] = [];
      ranges.missingFrom(from, to, missing);
      expectCanonical(missing);
      expect(clocksOf(missing)).toEqual(clocksOf([from, to]).filter((clock) => !set.has(clock)));
    }),
    runs(500),
  );
});

test("[DOC-1] steps give back the value of each clock", () => {
  const steps = new ClockSteps();
  steps.append(2, 5, 1);
  steps.append(5, 6, 1);
  steps.append(6, 9, 3);
  steps.append(20, 21, 3);
  const values = [1, 2, 5, 6, 8, 9, 20, 21].map((clock) => steps.at(clock));
  expect(values).toEqual([undefined, 1, 1, 3, 3, undefined, 3, undefined]);
});
