import { closeSync, fdatasyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Sample, SyncCostJob } from "./jobs.ts";

const recordBytes = 200;

/** Appends a record and waits for the disk, again and again: what one durable write costs here and now. */
export function runSyncCost(job: SyncCostJob): Sample {
  const record = Buffer.alloc(recordBytes, 0x68);
  const file = openSync(join(job.folder, "sync-cost"), "a");
  const took: number[] = [];
  try {
    for (let index = 0; index < job.writes; index += 1) {
      const startedAt = performance.now();
      writeSync(file, record);
      fdatasyncSync(file);
      took.push(performance.now() - startedAt);
    }
  } finally {
    closeSync(file);
  }
  took.sort((a, b) => a - b);
  const at = (share: number): number =>
    took[Math.min(took.length - 1, Math.floor(took.length * share))]!;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
