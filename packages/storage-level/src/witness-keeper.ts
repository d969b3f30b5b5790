import type { Environment } from "@heddle/core";

import type { LogMark } from "./records.ts";
import type { Witness } from "./witness-record.ts";

/** What the witness may be behind by, and so what a lost end of the log may hide. */
export const witnessDelayMsDefault = 1_000;

export interface WitnessKeeperOptions {
  readonly environment: Pick<Environment, "clock" | "scheduler" | "logger">;
  readonly write: (witness: Witness) => Promise<void>;
  readonly delayMs?: number | undefined;
}

/**
 * Writes the witness anew, at most once in `delayMs`, after commit groups were acknowledged, and once
 * more when the store is closed.
 *
 *   idle ──note──► waiting ──delay──► writing ──noted meanwhile──► waiting, else idle
 *
 * A witness that cannot be written is no reason to stop: it is behind, as it may be, and says so.
 */
export class WitnessKeeper {
  readonly #options: WitnessKeeperOptions;
  readonly #delayMs: number;
  #witness: Witness;
  #written: LogMark;
  #cancelTimer: (() => void) | undefined;
  #writing: Promise<void> | undefined;
  #isClosed = false;
  #hasNews = false;
  failures = 0;

  /** @param witness what is on disk already. */
  constructor(witness: Witness, options: WitnessKeeperOptions) {
    this.#options = options;
    this.#delayMs = options.delayMs ?? witnessDelayMsDefault;
    this.#witness = witness;
    this.#written = witness;
  }

  /** The log ends in `mark`, on disk. */
  note({ number, chain }: LogMark): void {
    this.#witness = { ...this.#witness, number, chain };
    this.#schedule();
  }

  /** What the opening found has been told to somebody. */
  async told(): Promise<void> {
    if (this.#isClosed || !this.#witness.untold) return;
    this.#witness = { ...this.#witness, untold: undefined };
    this.#hasNews = true;
    await this.#writing;
    await this.#write();
  }

  /** Writes what is not written; nothing is written after that. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.#writing;
    await this.#write();
  }

  #schedule(): void {
    if (this.#isClosed || this.#cancelTimer || this.#writing) return;
    this.#cancelTimer = this.#options.environment.scheduler.after(this.#delayMs, () => {
      this.#cancelTimer = undefined;
      this.#writing = this.#write().then(() => {
        this.#writing = undefined;
        if (this.#written.number !== this.#witness.number) this.#schedule();
      });
    });
  }

  async #write(): Promise<void> {
    if (this.#written.number === this.#witness.number && !this.#hasNews) return;
    const { clock, logger } = this.#options.environment;
    const witness = { ...this.#witness, writtenAtMs: clock.nowMs() };
    try {
      await this.#options.write(witness);
      this.#written = witness;
      this.#hasNews = false;
    } catch (error) {
      this.failures++;
      logger.warn("store.witness_unwritten", { error: String(error) });
    }
  }
}
