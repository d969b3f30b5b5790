import type { Environment } from "@heddle/core";

export interface ScrubScheduleOptions {
  readonly environment: Pick<Environment, "clock" | "scheduler" | "logger">;
  /** From the end of one scrub to the beginning of the next. */
  readonly intervalMs: number;
  /** To the first one. */
  readonly firstMs: number;
  /** Rejects when `signal` is aborted, and when the scrub could not be done. */
  readonly scrub: (signal: AbortSignal) => Promise<void>;
}

/** What became of the scrubs so far. */
export interface ScrubCounts {
  done: number;
  failed: number;
  /** Clock reading at the end of the last one that was done. */
  lastDoneAtMs: number | undefined;
}

/**
 * Runs a scrub again and again, one at a time.
 *
 *   waiting ──time──► running ──done or failed──► waiting        close() ──► aborted, and no more
 */
export class ScrubSchedule {
  readonly counts: ScrubCounts = { done: 0, failed: 0, lastDoneAtMs: undefined };
  readonly #options: ScrubScheduleOptions;
  readonly #stopping = new AbortController();
  #cancelTimer: (() => void) | undefined;
  /** Asked for while one was running, which may have passed the place by then. */
  #isDue = false;
  #running: Promise<void> | undefined;

  constructor(options: ScrubScheduleOptions) {
    this.#options = options;
  }

  start(): void {
    if (!this.#cancelTimer) this.#after(this.#options.firstMs);
  }

  /** Runs one now, or after the one that is running; for whoever met a damage. */
  soon(): void {
    this.#isDue = this.#running !== undefined;
    if (this.#isDue || this.#stopping.signal.aborted) return;
    this.#cancelTimer?.();
    this.#after(0);
  }

  async close(): Promise<void> {
    this.#cancelTimer?.();
    this.#stopping.abort(new Error("the store is closed"));
    await this.#running;
  }

  #after(delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#cancelTimer = this.#options.environment.scheduler.after(delayMs, () => {
      this.#running = this.#run();
    });
  }

  async #run(): Promise<void> {
    const { environment, intervalMs, scrub } = this.#options;
    const { signal } = this.#stopping;
    try {
      await scrub(signal);
      this.counts.done++;
      this.counts.lastDoneAtMs = environment.clock.nowMs();
    } catch (error) {
      if (!signal.aborted) {
        this.counts.failed++;
        environment.logger.warn("store.scrub_failed", { error: String(error) });
      }
    }
    this.#running = undefined;
    this.#after(this.#isDue ? 0 : intervalMs);
    this.#isDue = false;
  }
}
