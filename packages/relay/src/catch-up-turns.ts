import type { Environment } from "@heddle/core";

/** Who waits for a catch-up to be made. */
export interface TurnTaker {
  /** Makes and writes it, if it is still owed and there is room. */
  takeTurn(): void;
}

/** One turn makes catch-ups for so long, one at least, and then lets others to the event loop. */
const turnMs = 10;

/**
 * Catch-ups are made in turns, because making one reads the whole document: in the order in which they were
 * asked for, one for each who waits, however often it asked, and never for more than half of the time.
 */
export class CatchUpTurns {
  readonly #environment: Pick<Environment, "clock" | "scheduler">;
  readonly #waiting = new Set<TurnTaker>();
  #isScheduled = false;

  constructor(environment: Pick<Environment, "clock" | "scheduler">) {
    this.#environment = environment;
  }

  ask(taker: TurnTaker): void {
    this.#waiting.add(taker);
    if (!this.#isScheduled) this.#schedule(0);
  }

  forget(taker: TurnTaker): void {
    this.#waiting.delete(taker);
  }

  #schedule(delayMs: number): void {
    this.#isScheduled = true;
    this.#environment.scheduler.after(delayMs, () => this.#run());
  }

  #run(): void {
    this.#isScheduled = false;
    const startedMs = this.#nowMs;
    let spentMs = 0;
    for (const taker of this.#waiting) {
      this.#waiting.delete(taker);
      taker.takeTurn();
      spentMs = this.#nowMs - startedMs;
      if (spentMs >= turnMs) break;
    }
    // Whoever types gets as much of the time as those who ask.
    if (this.#waiting.size > 0 && !this.#isScheduled) this.#schedule(spentMs);
  }

  get #nowMs(): number {
    return this.#environment.clock.monotonicMs();
  }
}
