import type { Environment, HeddleErrorCode } from "@heddle/core";

import type { DialerChange } from "./dialer-state.ts";

export interface PeerWatchOptions {
  /** For log lines and people; without secrets. */
  readonly name: string;
  readonly environment: Pick<Environment, "clock" | "scheduler" | "logger">;
  /** Without a session for so long, a peer counts as lost. */
  readonly lostMs?: number;
}

/** Long enough for a peer that restarts, and shorter than the patience of who looks at the log. */
export const peerLostMs = 30_000;

/**
 * Says of one peer what an operator should see without asking: that it could not be reached at the start,
 * that it is lost for long, that it refuses. Once for each time; each change of state is at level info.
 */
export class PeerWatch {
  readonly #options: PeerWatchOptions;
  readonly #lostMs: number;
  #wasLive = false;
  /** What was last told stands until there is a session again. */
  #isTold = false;
  #awaySinceMs: number;
  #lastCode: HeddleErrorCode | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(options: PeerWatchOptions) {
    this.#options = options;
    this.#lostMs = options.lostMs ?? peerLostMs;
    this.#awaySinceMs = this.#nowMs;
  }

  changed({ state, previous, error }: DialerChange): void {
    const { logger } = this.#options.environment;
    this.#lastCode = error?.code ?? this.#lastCode;
    const fields = { peer: this.#options.name, state: state.name, was: previous.name };
    logger.info("peer.state", { ...fields, code: error?.code });
    if (previous.name === "live") this.#awaySinceMs = this.#nowMs;
    switch (state.name) {
      case "live":
        return this.#back();
      case "refused":
        this.#cancel();
        this.#isTold = true;
        return logger.warn("peer.refused", {
          peer: this.#options.name,
          closeCode: state.code,
          code: error?.code,
        });
      case "offline":
      case "stopped":
        // Nobody failed, and nobody is looked for.
        return this.#cancel();
      case "waiting":
      case "breaker-open":
        // At the start a slip in the address is more likely than a restart over there.
        return this.#wasLive || this.#isTold ? this.#wait() : this.#lost();
      default:
        return this.#wait();
    }
  }

  #back(): void {
    this.#cancel();
    if (this.#isTold) {
      const forMs = Math.round(this.#nowMs - this.#awaySinceMs);
      const fields = { peer: this.#options.name, forMs };
      this.#options.environment.logger.info("peer.back", fields);
    }
    this.#wasLive = true;
    this.#isTold = false;
    this.#lastCode = undefined;
  }

  #wait(): void {
    if (this.#isTold) return;
    this.#cancelTimer ??= this.#options.environment.scheduler.after(this.#lostMs, () =>
      this.#lost(),
    );
  }

  #lost(): void {
    this.#cancel();
    this.#isTold = true;
    const forMs = Math.round(this.#nowMs - this.#awaySinceMs);
    const fields = { peer: this.#options.name, wasLive: this.#wasLive, forMs };
    this.#options.environment.logger.warn("peer.lost", { ...fields, code: this.#lastCode });
  }

  #cancel(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  get #nowMs(): number {
    return this.#options.environment.clock.monotonicMs();
  }
}
