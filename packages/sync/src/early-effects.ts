import type { LaneId } from "@heddle/core";

/** After so many times in vain a lane waits for its peer to say it again. */
const attemptsMax = 3;
const lanesMax = 1_024;

/**
 * Lanes whose next run came before what it builds on, which was on another way. Such a run is tried again when
 * more of the document is on disk: its cause is a moment behind it, most of the time.
 */
export class EarlyEffects {
  readonly #attempts = new Map<LaneId, number>();

  /** The run was not taken, for now; whether it is worth keeping. */
  came(lane: LaneId): boolean {
    const attempts = (this.#attempts.get(lane) ?? 0) + 1;
    if (attempts > attemptsMax || this.#attempts.size >= lanesMax) return false;
    this.#attempts.set(lane, attempts);
    return true;
  }

  /** Something of the lane is on disk. */
  stored(lane: LaneId): void {
    this.#attempts.delete(lane);
  }

  /** Lanes that have something to try again. */
  get lanes(): LaneId[] {
    return [...this.#attempts.keys()];
  }
}
