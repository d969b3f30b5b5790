import type { Clock, Scheduler } from "@heddle/core";

import { JobStopped, type StopSignal } from "./stop-signal.ts";

/** What a job may take of the machine while people work on it. */
export interface PaceLimits {
  /** Records and documents that are read, on average. */
  readonly readsPerSecond: number;
  /** Of the event loop's time, above 0 and up to 1. */
  readonly loopShare: number;
}

/** Between two pauses; longer only when one document alone takes longer. */
const sliceMs = 8;

/**
 * Keeps a job within its limits: it works in slices and rests in between.
 *
 * All time from one pause to the next counts as work, waiting for a disk included. So the share of the
 * event loop is never above `loopShare` over a slice and the pause after it, and mostly well below it.
 */
export class JobPace {
  readonly #limits: PaceLimits;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #scheduler: Scheduler;
  #sliceBeganMs: number;
  /** When what was read so far may have been read by. */
  #readsPaidMs: number;
  #workedMs = 0;
  #restedMs = 0;
  #reads = 0;

  constructor(limits: PaceLimits, clock: Pick<Clock, "monotonicMs">, scheduler: Scheduler) {
    this.#limits = limits;
    this.#clock = clock;
    this.#scheduler = scheduler;
    this.#sliceBeganMs = clock.monotonicMs();
    this.#readsPaidMs = this.#sliceBeganMs;
  }

  /** Milliseconds between pauses, and in them; how many reads were counted. */
  get figures(): PaceFigures {
    const sinceMs = this.#clock.monotonicMs() - this.#sliceBeganMs;
    return { workedMs: this.#workedMs + sinceMs, restedMs: this.#restedMs, reads: this.#reads };
  }

  /** Says that something was read. */
  count(reads: number): void {
    this.#reads += reads;
    const nowMs = this.#clock.monotonicMs();
    // What was not used while there was nothing to read is not saved up for a burst.
    const fromMs = Math.max(this.#readsPaidMs, nowMs - sliceMs);
    this.#readsPaidMs = fromMs + (reads / this.#limits.readsPerSecond) * 1_000;
  }

  /** Resolves when the job may go on: at once within a slice, later after it. Rejects when aborted. */
  async pause(signal?: StopSignal): Promise<void> {
    if (signal?.aborted) throw new JobStopped("the job was told to stop");
    const nowMs = this.#clock.monotonicMs();
    const workedMs = nowMs - this.#sliceBeganMs;
    const aheadMs = this.#readsPaidMs - nowMs;
    if (workedMs < sliceMs && aheadMs < sliceMs) return;
    const { loopShare } = this.#limits;
    // Who may have all of it need not wait for a timer, which on a busy machine takes longer than the work.
    if (loopShare >= 1 && aheadMs <= 0) return;
    const restMs = Math.max(aheadMs, (workedMs * (1 - loopShare)) / loopShare);
    await this.wait(restMs, signal);
  }

  /** Does nothing for so long, which is no work. Rejects when aborted. */
  async wait(ms: number, signal?: StopSignal): Promise<void> {
    const fromMs = this.#clock.monotonicMs();
    this.#workedMs += fromMs - this.#sliceBeganMs;
    this.#sliceBeganMs = fromMs;
    await new Promise<void>((resolve, reject) => {
      const cancel = this.#scheduler.after(Math.ceil(ms), () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      const onAbort = (): void => {
        cancel();
        signal?.removeEventListener("abort", onAbort);
        reject(new JobStopped("the job was told to stop"));
      };
      signal?.addEventListener("abort", onAbort);
    });
    this.#sliceBeganMs = this.#clock.monotonicMs();
    this.#restedMs += this.#sliceBeganMs - fromMs;
  }
}

export interface PaceFigures {
  readonly workedMs: number;
  readonly restedMs: number;
  readonly reads: number;
}
