/** Sets a timer; the returned function cancels it. */
type SetTimer = (run: () => void) => () => void;

/** Counts timers that were set and neither ran nor were cancelled. */
export class PendingTimers {
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Sets one for `task`; the returned function cancels it. Later calls do nothing. */
  add(task: () => void, set: SetTimer): () => void {
    let isPending = true;
    this.#count++;
    const settle = (): boolean => {
      if (!isPending) return false;
      isPending = false;
      this.#count--;
      return true;
    };
    const cancel = set(() => {
      if (settle()) task();
    });
    return () => {
      if (settle()) cancel();
    };
  }
}
