import type { Scheduler } from "@heddle/core";

export interface SignsOfLifeOptions {
  readonly scheduler: Scheduler;
  /** Without a sign for so long the other side is given up. */
  readonly silenceMs: number;
  /** Asks the other side for a sign. */
  readonly ask: () => void;
  readonly onSilence: () => void;
}

/** Questions that may stay unanswered. */
const questions = 3;

/**
 * Notices that the other end of a connection has vanished. It counts questions without an answer, not
 * time: a machine that slept, or a page whose timers are slowed down, asks before it gives up.
 */
export class SignsOfLife {
  readonly #options: SignsOfLifeOptions;
  #unanswered = 0;
  #cancel: (() => void) | undefined;

  constructor(options: SignsOfLifeOptions) {
    this.#options = options;
    this.#wait();
  }

  /** Something came, whatever it was. */
  heard(): void {
    this.#unanswered = 0;
  }

  stop(): void {
    this.#cancel?.();
  }

  #wait(): void {
    const { scheduler, silenceMs } = this.#options;
    this.#cancel = scheduler.after(silenceMs / questions, () => this.#look());
  }

  #look(): void {
    if (this.#unanswered >= questions) return this.#options.onSilence();
    this.#unanswered++;
    this.#wait();
    this.#options.ask();
  }
}
