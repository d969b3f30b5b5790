import type * as Y from "yjs";

/** Clocks of one client that a transaction made. */
export interface ClientAdvance {
  readonly client: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Tells what each transaction made by itself. Yjs takes the state after a transaction when it cleans up,
 * and by then observers may have run others, which are cleaned up in the order in which they began.
 */
export class TransactionBounds {
  readonly #begun: Y.Transaction[] = [];

  begin(transaction: Y.Transaction): void {
    this.#begun.push(transaction);
  }

  /** Called once for each, in the order of their beginnings. */
  end(transaction: Y.Transaction): ClientAdvance[] {
    const index = this.#begun.indexOf(transaction);
    // One that began before it could be seen is not in the list.
    this.#begun.splice(0, index + 1);
    const { beforeState, afterState } = transaction;
    const end = this.#begun[0]?.beforeState ?? afterState;
    const advances: ClientAdvance[] = [];
    for (const [client, to] of end) {
      const from = beforeState.get(client) ?? 0;
      if (from < to) advances.push({ client, from, to });
    }
    return advances;
  }
}
