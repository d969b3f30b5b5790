import type { Environment } from "@heddle/core";

import type { PlannedRuns } from "./run-plan.ts";

/** What a job is, and when it runs. */
export interface PlannedJobOptions {
  readonly environment: Pick<Environment, "clock" | "scheduler" | "logger">;
  readonly runs: PlannedRuns;
  /** For the log. */
  readonly name: string;
  /** One run to its end, or until `signal` is aborted: what was done by then is not done again. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** What became of the runs so far. */
export interface PlannedJobCounts {
  readonly done: number;
  readonly failed: number;
  /** Hours were over before the run was. */
  readonly cutShort: number;
}

/** After runs that failed one after the other, up to {@link lookAgainMs}. */
const retryMs = 1_000;

/** The wall clock may be set: it is looked at again after so long. Timers have a bound of their own, too. */
const lookAgainMs = 60 * 60 * 1_000;

/**
 * Runs a job when its plan says so, one run at a time.
 *
 *   waiting ──due──► running ──done or failed──► waiting          close() ──► aborted, and no more
 *                       └── hours are over ──► aborted, waiting for the next hours
 */
export class PlannedJob {
  readonly #options: PlannedJobOptions;
  readonly #stopping = new AbortController();
  #counts = { done: 0, failed: 0, cutShort: 0 };
  #dueMs = Infinity;
  /** In a row. */
  #failures = 0;
  #cancelTimer: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(options: PlannedJobOptions) {
    this.#options = options;
  }

  get counts(): PlannedJobCounts {
    return this.#counts;
  }

  /** When the next run begins, by the wall clock; `undefined` while one is running or after `close`. */
  get nextRunAtMs(): number | undefined {
    return this.#cancelTimer === undefined ? undefined : this.#dueMs;
  }

  start(): void {
    if (this.#cancelTimer === undefined && this.#running === undefined)
      this.#plan(undefined, false);
  }

  /** Resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.#stopping.abort(new Error("the job is closed"));
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    await this.#running;
  }

  #plan(endedMs: number | undefined, isCutShort: boolean): void {
    if (this.#stopping.signal.aborted) return;
    const { environment, runs } = this.#options;
    const nowMs = environment.clock.nowMs();
    const plannedMs = runs.nextMs(nowMs, { endedMs, isCutShort });
    const backOffMs = this.#failures === 0 ? 0 : retryMs * 2 ** Math.min(12, this.#failures - 1);
    const afterMs = nowMs + Math.min(backOffMs, lookAgainMs);
    // A run that failed is not left to the next night: it is tried again, in its hours.
    this.#dueMs = this.#failures > 0 ? runs.openFromMs(afterMs) : plannedMs;
    this.#wait();
  }

  #wait(): void {
    const { clock, scheduler } = this.#options.environment;
    const delayMs = Math.max(0, this.#dueMs - clock.nowMs());
    this.#cancelTimer = scheduler.after(Math.min(delayMs, lookAgainMs), () => {
      if (clock.nowMs() < this.#dueMs) return this.#wait();
      this.#cancelTimer = undefined;
      this.#running = this.#run().finally(() => (this.#running = undefined));
    });
  }

  async #run(): Promise<void> {
    const { environment, runs, run, name } = this.#options;
    const { clock, scheduler, logger } = environment;
    const hours = new AbortController();
    const closesMs = runs.openUntilMs(clock.nowMs()) ?? clock.nowMs();
    const cancel = Number.isFinite(closesMs)
      ? scheduler.after(closesMs - clock.nowMs(), () =>
          hours.abort(new Error("its hours are over")),
        )
      : () => undefined;
    try {
      await run(AbortSignal.any([hours.signal, this.#stopping.signal]));
      this.#counts.done++;
      this.#failures = 0;
    } catch (error) {
      if (hours.signal.aborted) this.#counts.cutShort++;
      else if (!this.#stopping.signal.aborted) {
        this.#counts.failed++;
        this.#failures++;
        logger.error("reconcile.run_failed", { job: name, error: String(error) });
      }
    }
    cancel();
    this.#plan(clock.nowMs(), hours.signal.aborted);
  }
}
