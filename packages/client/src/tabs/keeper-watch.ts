import type { Clock, Scheduler } from "@heddle/core";

import { beatChannel } from "./keeper-beat.ts";

export interface KeeperWatchOptions {
  /** What tabs meet under. */
  readonly name: string;
  readonly clock: Clock;
  readonly scheduler: Scheduler;
  readonly onSilent: () => void;
}

/** The one that stores is asked this often whether it is awake, and given up after so many silences. */
const askMs = 1_000;
const silencesMax = 5;

/**
 * A tab that was frozen, or whose process was stopped, keeps its Web Lock: only its silence tells. What
 * counts is how often it did not answer while this tab was awake, not how much time went by: a machine
 * that slept, or a timer that the browser put off, says nothing about others.
 */
export class KeeperWatch {
  readonly #options: KeeperWatchOptions;
  readonly #channel: ReturnType<typeof beatChannel>;
  #silences = 0;
  #askedMs = 0;
  #cancel: (() => void) | undefined;

  constructor(options: KeeperWatchOptions) {
    this.#options = options;
    this.#channel = beatChannel(options.name, (kind) => {
      if (kind === "awake") this.#silences = 0;
    });
    this.#ask();
  }

  stop(): void {
    this.#cancel?.();
    this.#channel.stop();
  }

  #ask(): void {
    const { clock, scheduler } = this.#options;
    this.#askedMs = clock.monotonicMs();
    this.#channel.say("ask");
    this.#cancel = scheduler.after(askMs, () => this.#look());
  }

  #look(): void {
    const { clock, onSilent } = this.#options;
    const wasAwake = clock.monotonicMs() - this.#askedMs < askMs * 2;
    this.#silences = wasAwake ? this.#silences + 1 : 0;
    if (this.#silences >= silencesMax) {
      this.#silences = 0;
      onSilent();
    }
    this.#ask();
  }
}
