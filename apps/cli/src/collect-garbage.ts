import { performance } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import type { ProcessReading } from "./calm-collector.ts";

/**
 * Runs V8's collector once, over everything, while the caller waits: one to three milliseconds for
 * each MB that is alive.
 *
 * V8 hands its collector out to contexts that are made while a flag is set. A new context is the only
 * way to it from inside a process that was started without that flag, and it is collected as well.
 */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  try {
    (runInNewContext("gc") as () => void)();
  } finally {
    setFlagsFromString("--no-expose-gc");
  }
}

/** Reads this process; how busy it was is counted from the call before. */
export function processReader(): () => Omit<ProcessReading, "documents"> {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const busy = performance.eventLoopUtilization(now, before).utilization;
    before = now;
    const { total_heap_size: heap, external_memory: external } = getHeapStatistics();
    return { heldBytes: heap + external, busy };
  };
}
