import type { Clock, Scheduler } from "@heddle/core";

interface Timer {
  readonly dueMs: number;
  readonly task: () => void;
}

/**
 * Clock and timers of everything that is measured in virtual time. A day of typing takes as long as its
 * work does, and every window and deadline is as long as it ships.
 */
export class VirtualTime implements Clock, Scheduler {
  #nowMs = 0;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return Math.floor(1_800_000_000_000 + this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, task };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Moves on to `untilMs`. After each timer `settled` says when what it began has come to rest. */
  async advance(untilMs: number, settled: () => Promise<void>): Promise<void> {
    for (let timer = this.#next(untilMs); timer; timer = this.#next(untilMs)) {
      this.#timers.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.task();
      await settled();
    }
    this.#nowMs = untilMs;
  }

  /** There are a handful: two machines, one document. */
  #next(untilMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && timer.dueMs < (first?.dueMs ?? Infinity)) first = timer;
    }
    return first;
  }
}
