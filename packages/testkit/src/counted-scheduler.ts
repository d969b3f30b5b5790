import type { Scheduler } from "@heddle/core";

import { PendingTimers } from "./pending-timers.ts";

/** Real timers, counted: what a test leaves behind shows. They do not keep the process alive. */
export class CountedScheduler implements Scheduler {
  readonly #timers = new PendingTimers();

  /** Timers that were set and neither ran nor were cancelled. */
  get pending(): number {
    return this.#timers.count;
  }

  after(delayMs: number, task: () => void): () => void {
    return this.#timers.add(task, (run) => {
      const timer = setTimeout(run, delayMs);
      timer.unref();
      return () => clearTimeout(timer);
    });
  }
}
