import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { readCpuSeconds } from "./process-usage.ts";

const lookMs = 500;
const quietMs = 3_000;
const busyCpuSeconds = 0.03;
const limitMs = 180_000;

/**
 * Resolves when a process has done next to nothing for 3 s, longer than any server here puts off storing.
 *
 * @throws Error when it does not come to rest in three minutes.
 */
export async function whenQuiet(pid: number): Promise<void> {
  const startedAt = performance.now();
  let quietSince = startedAt;
  let before = readCpuSeconds(pid);
  while (performance.now() - quietSince < quietMs) {
    await delay(lookMs);
    const now = readCpuSeconds(pid);
    if (now - before > busyCpuSeconds) quietSince = performance.now();
    before = now;
    if (performance.now() - startedAt > limitMs)
      throw new Error("the server does not come to rest");
  }
}
