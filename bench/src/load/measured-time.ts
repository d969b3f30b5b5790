import { setTimeout as delay } from "node:timers/promises";
import type { Pinning } from "../pinning.ts";
import { Meter, type Metered } from "./meter.ts";

interface MeasuredTime {
  readonly serverPid: number;
  readonly pinning: Pinning | null;
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Rejects when a connection is lost, which ends the run. */
  readonly failed: Promise<never>;
  /** Resolves when there is nothing left to send, which ends the measured time early. */
  readonly exhausted: Promise<void>;
  onMeasureStart(): void;
}

/** Lets the load run warm, then measures. A run that ran out of work before it was measured has no figures. */
export async function measureAfterWarmUp(time: MeasuredTime): Promise<Metered> {
  const { exhausted, failed } = time;
  const outOfWork = exhausted.then(() => true);
  const warm = await Promise.race([delay(time.warmUpMs, false), outOfWork, failed]);
  if (warm) throw new Error("ran out of updates while warming up");
  time.onMeasureStart();
  const meter = new Meter(time.serverPid, time.pinning);
  await Promise.race([delay(time.measureMs), outOfWork, failed]);
  return meter.read();
}
