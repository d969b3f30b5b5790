import type { SyncContext } from "./sync-context.ts";

/**
 * How many documents a peer says it is still going to open. It says so again and again while there are
 * some, and is believed for a while only: the word that there are none any more may have been lost.
 */
export class PeerOffering {
  readonly #context: SyncContext;
  #documents = 0;
  #heardMs = 0;

  constructor(context: SyncContext) {
    this.#context = context;
  }

  get documents(): number {
    const { nowMs, limits } = this.#context;
    return nowMs - this.#heardMs < limits.libraryPatienceMs ? this.#documents : 0;
  }

  heard(documents: number): void {
    this.#documents = documents;
    this.#heardMs = this.#context.nowMs;
  }
}
