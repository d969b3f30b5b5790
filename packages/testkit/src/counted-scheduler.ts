import type { Scheduler } from "@heddle/core";

/** Real timers, counted: what a test leaves behind shows. They do not keep the process alive. */
export class CountedScheduler implements Scheduler {
  #pending = 0;

  /** Timers that were set and neither ran nor were cancelled. */
  get pending(): number {
    return this.#pending;
  }

  after(delayMs: number, task: () => void): () => void {
    let isPending = true;
    this.#pending++;
    const settle = (): boolean => {
      if (!isPending) return false;
      isPending = false;
      this.#pending--;
      return true;
    };
    const timer = setTimeout(() => {
      if (settle()) task();
    }, delayMs);
    timer.unref();
    return () => {
      if (settle()) clearTimeout(timer);
    };
  }
}
