import { describe } from "vitest";

import { describeBatches } from "./describe-batches.ts";
import { describeLeases } from "./describe-leases.ts";
import { describeMoves } from "./describe-moves.ts";
import { describeProjectionModel } from "./describe-model.ts";
import { describeReadings } from "./describe-readings.ts";
import { ProjectionBench, type ProjectionStoreHarness } from "./projection-bench.ts";

export interface ProjectionStoreContractOptions {
  /** How many random histories the model test tries. */
  readonly modelRuns?: number;
  /** Another process has it open: what was written in it is not told here. */
  readonly isServed?: boolean;
}

/** What every `ProjectionStore` owes (docs/guarantees.md, PRJ). Run it, do not copy it. */
export function describeProjectionStoreContract(
  name: string,
  harness: ProjectionStoreHarness,
  { modelRuns = 30, isServed = false }: ProjectionStoreContractOptions = {},
): void {
  describe(`ProjectionStore contract: ${name}`, () => {
    describe("reading", () => describeReadings(ProjectionBench.use(harness)));
    describe("batches", () => describeBatches(ProjectionBench.use(harness)));
    describe("leases", () => describeLeases(ProjectionBench.use(harness)));
    if (!isServed) describe("moves", () => describeMoves(ProjectionBench.use(harness)));
    describeProjectionModel(harness, modelRuns);
  });
}
