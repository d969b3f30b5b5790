import type { StoreId } from "@heddle/core";

import type { SyncContext } from "./sync-context.ts";
import type { FeedCursor, SyncEffect } from "./sync-effects.ts";

/** Where the feeds of peers' stores were followed to, as kept by the host and as heard since. */
export class KeptCursors {
  readonly #context: Pick<SyncContext, "limits" | "counters">;
  readonly #cursors = new Map<string, FeedCursor>();

  constructor(
    context: Pick<SyncContext, "limits" | "counters">,
    kept: ReadonlyMap<string, FeedCursor>,
  ) {
    this.#context = context;
    for (const [store, cursor] of kept) this.#cursors.set(store, cursor);
  }

  get(store: StoreId): FeedCursor | undefined {
    return this.#cursors.get(store);
  }

  /**
   * Whether an effect is to be carried out; notes it when it keeps a cursor. Stores are invented at no
   * cost: with those beyond the bound, documents are compared anew each time.
   */
  lets(effect: SyncEffect): boolean {
    if (effect.type !== "keepCursor") return true;
    const { limits, counters } = this.#context;
    if (this.#cursors.has(effect.store) || this.#cursors.size < limits.cursorsMax) {
      this.#cursors.set(effect.store, effect.cursor);
      return true;
    }
    counters.cursorsDropped++;
    return false;
  }
}
