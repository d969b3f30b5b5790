import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import type { Pinning } from "../pinning.ts";
import { readAllCpuSeconds } from "../process-usage.ts";
import { Meter, type Metered } from "./meter.ts";

interface MeasuredTime {
  /** All processes that are the server. */
  readonly serverPids: readonly number[];
  readonly pinning: Pinning | null;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Rejects when a connection is lost, which ends the run. */
  readonly failed: Promise<never>;
  /** Resolves when there is nothing left to send, which ends the measured time early. */
  readonly exhausted: Promise<void>;
  /** False for a load that leaves the server idle on purpose. */
  readonly keepsServerBusy: boolean;
  onMeasureStart(): void;
}

/** A busy server that gets less of its core than this is given more time: cold code would be measured. */
const coreShareLeast = 0.6;
const stretchMax = 6;
const lookMs = 100;

/** Lets the load run warm, then measures. A run that ran out of work before it was measured has no figures. */
export async function measureAfterWarmUp(time: MeasuredTime): Promise<Metered> {
  const { exhausted, failed } = time;
  const outOfWork = exhausted.then(() => true);
  const warmed = worked(time.serverPids, time.warmUpMs, time.keepsServerBusy).then(() => false);
  if (await Promise.race([warmed, outOfWork, failed])) {
    throw new Error("ran out of updates while warming up");
  }
  time.onMeasureStart();
  const meter = new Meter(time.serverPids, time.pinning);
  const measured = worked(time.serverPids, time.measureMs, time.keepsServerBusy);
  await Promise.race([measured, outOfWork, failed]);
  return meter.read();
}

/**
 * Resolves after `ms`, or as much later as a busy server on a shared machine takes to have had its core
 * for 60 % of `ms`; after six times `ms` in any case.
 */
export async function worked(
  serverPids: readonly number[],
  ms: number,
  isBusy: boolean,
): Promise<void> {
  const startedAt = performance.now();
  const cpuBefore = readAllCpuSeconds(serverPids);
  await delay(ms);
  if (!isBusy) return;
  const hasWorked = (): boolean => {
    return (readAllCpuSeconds(serverPids) - cpuBefore) * 1_000 >= ms * coreShareLeast;
  };
  while (!hasWorked() && performance.now() - startedAt < ms * stretchMax) await delay(lookMs);
}
