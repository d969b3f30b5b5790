import { setImmediate as nextTurn } from "node:timers/promises";

/** Looked at again this often even if nothing arrives: sockets drain and pauses end without an event. */
const pollMs = 5;

/** Nothing moved for the idle limit. The message says what was awaited. */
export class IdleTimeout extends Error {
  override readonly name = "IdleTimeout";
}

export interface Work {
  /** Does what can be done now. Called from one loop only. */
  step(): "moved" | "waiting" | "done";
  /** What the next step waits for, for people. */
  awaited(): string;
}

/** Knows when something last moved, so that a replay ends with a reason rather than hangs. */
export class Progress {
  readonly #idleTimeoutMs: number;
  #movedAtMs = performance.now();
  #wake: () => void = ignore;

  constructor(idleTimeoutMs: number) {
    this.#idleTimeoutMs = idleTimeoutMs;
  }

  /** A transaction was typed or arrived. Reconnecting is not progress: a relay may flap for ever. */
  moved(): void {
    this.#movedAtMs = performance.now();
    this.#wake();
  }

  /**
   * Steps until done. Gives sockets a turn between steps, so that what was typed leaves.
   *
   * @throws IdleTimeout after the idle limit without progress.
   */
  async drive(work: Work): Promise<void> {
    this.moved();
    for (;;) {
      const outcome = work.step();
      if (outcome === "done") return;
      if (outcome === "waiting") await this.#movement(work);
      await nextTurn();
    }
  }

  async #movement(work: Work): Promise<void> {
    if (performance.now() - this.#movedAtMs > this.#idleTimeoutMs) {
      throw new IdleTimeout(
        `nothing moved for ${this.#idleTimeoutMs / 1000} s; awaited: ${work.awaited()}`,
      );
    }
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pollMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = ignore;
  }
}

function ignore(): void {}
