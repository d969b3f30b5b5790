import { HeddleErrorCode, isHeddleError, type Environment, type HeddleError } from "@heddle/core";

import { storageError } from "./level-errors.ts";
import type { OpenLog } from "./open-log.ts";

/** Reopening takes a table and a manifest, so a full disk is not asked in a tight loop. */
const delayMsMin = 100;
const delayMsMax = 5_000;

export interface FenceActions {
  readonly reopen: () => Promise<OpenLog>;
  readonly resumed: (log: OpenLog) => void;
  /** Called when an attempt failed for another reason than the one that is known. */
  readonly failed: (error: HeddleError) => void;
}

/**
 * Brings a store back after a failed write: waits, opens the log anew, and again with twice the wait.
 *
 *   begin ──wait──► reopening ──fails──► wait twice as long     end() ──► stops at the next step
 *                       └──succeeds──► resumed
 */
export class Fence {
  readonly #environment: Environment;
  readonly #actions: FenceActions;
  #delayMs = delayMsMin;
  #cancelTimer: (() => void) | undefined;
  #attempt: Promise<void> | undefined;
  #ended = false;

  constructor(environment: Environment, actions: FenceActions) {
    this.#environment = environment;
    this.#actions = actions;
  }

  begin(): void {
    if (this.#ended) return;
    this.#cancelTimer = this.#environment.scheduler.after(this.#delayMs, () => {
      this.#attempt = this.#reopen();
    });
    // Kept until a write succeeds: a store that reopens and fails again at once is no better off.
    this.#delayMs = Math.min(this.#delayMs * 2, delayMsMax);
  }

  succeeded(): void {
    this.#delayMs = delayMsMin;
  }

  /** No attempt is under way or begins after this. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#cancelTimer?.();
    await this.#attempt;
  }

  async #reopen(): Promise<void> {
    const { logger } = this.#environment;
    try {
      const log = await this.#actions.reopen();
      if (this.#ended) {
        await log.database.close();
        return;
      }
      logger.info("store.resumed", { lastArrival: log.tail.number });
      this.#actions.resumed(log);
    } catch (cause) {
      if (this.#ended) return;
      const error = storageError(cause, "the log could not be opened again");
      logger.warn("store.reopen_failed", { code: error.code, error: error.message });
      if (isHeddleError(error, HeddleErrorCode.storageCorrupt)) this.#actions.failed(error);
      this.begin();
    }
  }
}
