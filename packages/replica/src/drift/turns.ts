import { HeddleError, HeddleErrorCode } from "@heddle/core";

/** Does one thing after the other, in the order of asking: what takes memory is not done many times at once. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #isStopped = false;

  /** @throws HeddleError `HEDDLE_STORAGE_CLOSED` when it was stopped before its turn; or as `work` does. */
  run<Value>(work: () => Promise<Value>): Promise<Value> {
    const done = this.#last.then(() => {
      if (!this.#isStopped) return work();
      throw new HeddleError(HeddleErrorCode.storageClosed, "nothing is looked at any more");
    });
    this.#last = done.catch(() => undefined); // Whoever asked has the error.
    return done;
  }

  /** What has not begun never will. */
  stop(): void {
    this.#isStopped = true;
  }
}
