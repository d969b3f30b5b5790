import type { Clock, Scheduler } from "@heddle/core";

/** Time that stands still until a test moves it; timers run in the order in which they are due. */
export class ManualTime implements Clock, Scheduler {
  #nowMs: number;
  #elapsedMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = { dueMs: this.#elapsedMs + delayMs, task };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers are set. */
  get timerCount(): number {
    return this.#timers.size;
  }

  /** Moves time on and runs what became due, one timer after the other. */
  advance(byMs: number): void {
    const endMs = this.#elapsedMs + byMs;
    for (let timer = this.#next(endMs); timer; timer = this.#next(endMs)) {
      this.#timers.delete(timer);
      this.#moveTo(timer.dueMs);
      timer.task();
    }
    this.#moveTo(endMs);
  }

  /** Sets the wall clock, as a user or a time server does; timers do not notice. */
  setWall(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  #next(endMs: number): Timer | undefined {
    const due = [...this.#timers].filter(({ dueMs }) => dueMs <= endMs);
    return due.toSorted((a, b) => a.dueMs - b.dueMs)[0];
  }

  #moveTo(elapsedMs: number): void {
    this.#nowMs += elapsedMs - this.#elapsedMs;
    this.#elapsedMs = elapsedMs;
  }
}

interface Timer {
  readonly dueMs: number;
  readonly task: () => void;
}
