/**
 * Does one thing after the other, in the order of asking, whatever came of the one before: what two at once would make
 * wrong, or what takes too much memory to be done twice at a time.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves, or rejects, as `work` does when its turn has come. */
  run<Value>(work: () => Promise<Value>): Promise<Value> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined); // Whoever asked has the error.
    return done;
  }

  /** Resolves when all that was asked for so far is done, or has failed. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
