import { readFileSync } from "node:fs";

import { simulate, type SimScenario } from "@heddle/testkit";
import { describe, expect, test } from "vitest";

import { replayCommand, runSeeds } from "./run-seeds.ts";

// Goal: what was found once is not lost again; and worlds that the light seeds do not reach.
// Method: test/fixtures/simulation/found-seeds.json is replayed first, then other scenarios.

interface FoundSeed {
  readonly seed: number;
  readonly scenario: SimScenario;
  readonly found: string;
}

const file = new URL("../fixtures/simulation/found-seeds.json", import.meta.url);
const foundSeeds = JSON.parse(readFileSync(file, "utf8")) as FoundSeed[];

describe("seeds that once broke a promise", () => {
  test.each(foundSeeds)("[WIR-8] $scenario $seed: $found", async ({ seed, scenario }) => {
    const report = await simulate({ seed, scenario });
    expect(report.broken, replayCommand(report, scenario)).toBeUndefined();
  });
});

test("one seed is one run: the same events in the same order", async () => {
  for (const scenario of ["light", "yjs", "clones"] as const) {
    const runs = await Promise.all([1, 2].map(() => simulate({ seed: 11, scenario })));
    expect(runs[0]).toEqual(runs[1]);
    const other = await simulate({ seed: 12, scenario });
    expect(other.traceHash).not.toBe(runs[0]!.traceHash);
  }
});

test("[WIR-22] clocks that are wrong by years change nothing, to the order of what happens", async () => {
  for (const scenario of ["light", "pruned"] as const) {
    for (let seed = 1; seed <= 3; seed++) {
      const runs = [0, 3, 20].map((clockYearsMax) => {
        return simulate({ seed, scenario, plan: { clockYearsMax }, keepsTimeline: true });
      });
      const [right, ...wrong] = await Promise.all(runs);
      expect(right!.broken).toBeUndefined();
      for (const report of wrong) {
        expect(report.traceHash, "the clocks are not wrong").not.toBe(right!.traceHash);
        expect(namesApart(report.timeline)).toEqual(namesApart(right!.timeline));
      }
    }
  }
});

/** Ids are hashes of what was written, clock readings and all; here each is a number, as they turn up. */
function namesApart(timeline: readonly string[]): string[] {
  const numbers = new Map<string, number>();
  const numberOf = (id: string): string => {
    if (!numbers.has(id)) numbers.set(id, numbers.size);
    return `#${numbers.get(id)}`;
  };
  return timeline.map((line) => line.replaceAll(/\b(?:[0-9a-f]{8}|[0-9a-f]{6})\b/g, numberOf));
}

test("[WIR-8] 200 worlds of real Yjs documents and real signatures end equal, digest S and content", async () => {
  const report = await runSeeds("yjs", 1, 200);
  console.log(JSON.stringify(report));
  expect(report.crashes).toBeGreaterThan(200);
});

test("[WIR-8] 600 worlds more on the light engine", async () => {
  console.log(JSON.stringify(await runSeeds("light", 1_000_000, 600)));
});

test("[WIR-11] on a network that keeps order no effect comes before its cause", async () => {
  const report = await runSeeds("sound", 1, 100);
  expect(report.incomplete).toBe(0);
  expect(report.envelopes).toBeGreaterThan(2_000);
});

test("[WIR-8] 200 worlds in which hardly a frame is safe", async () => {
  console.log(JSON.stringify(await runSeeds("damaged", 1, 200)));
});

test("[WIR-14] 250 worlds that drop what they have in checkpoints, and come back to each other below floors", async () => {
  const report = await runSeeds("pruned", 1, 250);
  console.log(JSON.stringify(report));
  expect(report.adopted).toBeGreaterThan(500);
});

test("[DRF-5] 60 worlds in which memory is damaged find it, repair it and write it down", async () => {
  const report = await runSeeds("drifting", 1, 60);
  console.log(JSON.stringify(report));
  expect(report.envelopes).toBeGreaterThan(1_000);
});

test("[LIB-3] 30 worlds of replicas that know of none of 40 documents what the others have", async () => {
  const report = await runSeeds("strangers", 1, 30);
  console.log(JSON.stringify(report));
  expect(report.envelopes).toBeGreaterThan(1_500);
});

test("[WIR-12] a lane with two writers is found out, proven and frozen, and nobody is accused wrongly", async () => {
  const report = await runSeeds("clones", 1, 100);
  expect(report.forks).toBeGreaterThan(50);
});
