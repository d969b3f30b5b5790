import { expect, test } from "vitest";

import { runSeeds } from "./run-seeds.ts";

// Goal: no seed breaks a promise, whatever goes wrong with machines, disks, clocks and the network.
// Method: worlds on the light engine, drawn from seeds, checked while they run and audited at the end.

const seeds = Number(process.env["HEDDLE_SEEDS"] ?? 1_400);

test(`[WIR-8, WIR-9, WIR-10] ${seeds} worlds lose nothing that was saved or acknowledged, and end equal`, async () => {
  const report = await runSeeds("light", 1, seeds);
  console.log(JSON.stringify(report));
  // A simulator that does nothing finds nothing.
  expect(report.crashes).toBeGreaterThan(seeds);
  expect(report.faults).toBeGreaterThan(seeds * 10);
  expect(report.envelopes).toBeGreaterThan(seeds * 20);
  expect(report.duplicates).toBeGreaterThan(seeds);
  expect(report.gaps).toBeGreaterThan(seeds / 2);
});
