import { describe } from "vitest";

import { describeArrivalOrder } from "./describe-arrival-order.ts";
import { describeCheckpoints } from "./describe-checkpoints.ts";
import { describeChangeFeed } from "./describe-feed.ts";
import { describeLife } from "./describe-life.ts";
import { describeLogStoreModel } from "./describe-model.ts";
import { describeParking } from "./describe-parking.ts";
import { describePeers } from "./describe-peers.ts";
import { describeRefusals } from "./describe-refusals.ts";
import { describeRepair } from "./describe-repair.ts";
import { describeReadsAndWrites } from "./describe-writes.ts";
import type { LogStoreHarness } from "./store-bench.ts";

export interface LogStoreContractOptions {
  /** How many random histories the model tests try. */
  readonly modelRuns?: number;
}

/** What every `LogStore` owes (docs/guarantees.md, STO and LOG). Run it, do not copy it. */
export function describeLogStoreContract(
  name: string,
  harness: LogStoreHarness,
  { modelRuns = 30 }: LogStoreContractOptions = {},
): void {
  describe(`LogStore contract: ${name}`, () => {
    describe("writing and reading", () => describeReadsAndWrites(harness));
    describe("order of arrival", () => describeArrivalOrder(harness, modelRuns));
    describe("parking", () => describeParking(harness));
    describe("refusals", () => describeRefusals(harness));
    describe("change feed", () => describeChangeFeed(harness));
    describe("checkpoints", () => describeCheckpoints(harness));
    describe("other stores", () => describePeers(harness, modelRuns));
    describe("looking for damage", () => describeRepair(harness));
    describe("life of a store", () => describeLife(harness));
    describeLogStoreModel(harness, modelRuns);
  });
}
