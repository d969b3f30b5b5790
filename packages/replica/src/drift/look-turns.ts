import { HeddleError, HeddleErrorCode, Turns } from "@heddle/core";

/** Looks at documents come one after the other, as each has a whole document in memory. */
export class LookTurns {
  readonly #turns = new Turns();
  #isStopped = false;

  /** @throws HeddleError `HEDDLE_STORAGE_CLOSED` when it was stopped before its turn; or as `work` does. */
  run<Value>(work: () => Promise<Value>): Promise<Value> {
    return this.#turns.run(() => {
      if (!this.#isStopped) return work();
      throw new HeddleError(HeddleErrorCode.storageClosed, "nothing is looked at any more");
    });
  }

  /** What has not begun never will. */
  stop(): void {
    this.#isStopped = true;
  }
}
