import type { Sample } from "../load/jobs.ts";
import { runLoad } from "../run-load.ts";
import { loadOverheadMs, type RowContext, type Table } from "./row.ts";

/** Not a server's row: what the disk under all of them costs, taken again before each round of each row. */
export const syncCostTable: Table = {
  title: "This machine's disk: append 200 bytes, fdatasync",
  explanation: "A server that syncs before it shows an update cannot be faster than this at p50.",
  columns: [
    { key: "p50Ms", title: "p50 ms", digits: 3 },
    { key: "p99Ms", title: "p99 ms", digits: 3 },
    { key: "maxMs", title: "max ms", digits: 2 },
  ],
};

export async function measureSyncCost(context: RowContext): Promise<Sample> {
  const job = {
    kind: "sync-cost",
    folder: context.makeFolder(),
    writes: context.plan.syncedWrites,
  } as const;
  return await runLoad(job, { core: context.pinning?.loadCore, limitMs: loadOverheadMs });
}
