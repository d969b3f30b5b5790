import type { Clock } from "@heddle/core";

interface SimTask {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void | Promise<void>;
}

/** Virtual time: tasks run one after the other when they are due, ties in the order of their making. */
export class SimTime {
  #nowMs = 0;
  #order = 0;
  readonly #heap: SimTask[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void | Promise<void>): void {
    const task = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#heap.push(task);
    this.#rise(this.#heap.length - 1);
  }

  /** Runs the next task and waits for what it awaits; false when none is due by `untilMs`. */
  async step(untilMs: number): Promise<boolean> {
    const next = this.#heap[0];
    if (next === undefined || next.dueMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs);
      return false;
    }
    this.#removeFirst();
    this.#nowMs = next.dueMs;
    const done = next.run();
    if (done) await done;
    return true;
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(index: number): void {
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #sink(index: number): void {
    for (;;) {
      const left = index * 2 + 1;
      let first = index;
      if (left < this.#heap.length && this.#isBefore(left, first)) first = left;
      if (left + 1 < this.#heap.length && this.#isBefore(left + 1, first)) first = left + 1;
      if (first === index) return;
      this.#swap(index, first);
      index = first;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [left, right] = [this.#heap[a]!, this.#heap[b]!];
    return left.dueMs - right.dueMs < 0 || (left.dueMs === right.dueMs && left.order < right.order);
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b]!, this.#heap[a]!];
  }
}

/** The wall clock of one machine: virtual time, off by as much as somebody set it. */
export class SimClock implements Clock {
  readonly #time: SimTime;
  offsetMs: number;

  constructor(time: SimTime, offsetMs: number) {
    this.#time = time;
    this.offsetMs = offsetMs;
  }

  nowMs(): number {
    return Math.max(0, Math.floor(1_800_000_000_000 + this.#time.nowMs + this.offsetMs));
  }

  monotonicMs(): number {
    return this.#time.nowMs;
  }
}
