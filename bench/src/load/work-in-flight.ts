import { setImmediate as nextTurn } from "node:timers/promises";

/** Turns of the event loop without any work after which nothing more comes of what was begun. */
const quietTurns = 3;

/** Counts what goes on outside of promises: work in threads, and messages under way. */
export class WorkInFlight {
  #count = 0;

  begin(): void {
    this.#count += 1;
  }

  end(): void {
    this.#count -= 1;
  }

  async during<T>(work: Promise<T>): Promise<T> {
    this.begin();
    try {
      return await work;
    } finally {
      this.end();
    }
  }

  /** Resolves when everything that was begun has come to rest. Time stands still meanwhile. */
  readonly settled = async (): Promise<void> => {
    for (let quiet = 0; quiet < quietTurns; quiet += 1) {
      await nextTurn();
      if (this.#count > 0) quiet = 0;
    }
  };
}
