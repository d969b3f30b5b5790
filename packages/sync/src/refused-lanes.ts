import type { DocumentId, LaneId, StoreId } from "@heddle/core";

import type { SyncContext } from "./sync-context.ts";
import type { KeptRefusal } from "./sync-effects.ts";

/** Lanes of ours that a peer's store refused for good. They wait for a word of the application. */
export class RefusedLanes {
  readonly #context: SyncContext;
  readonly #refusals = new Map<string, KeptRefusal>();

  constructor(context: SyncContext, kept: readonly KeptRefusal[] = []) {
    this.#context = context;
    for (const refusal of kept) this.#refusals.set(keyOf(refusal), refusal);
  }

  get all(): readonly KeptRefusal[] {
    return [...this.#refusals.values()];
  }

  /** What a store refused of a document. */
  of(store: StoreId, document: DocumentId): readonly KeptRefusal[] {
    return this.all.filter((each) => each.store === store && each.document === document);
  }

  add(refusal: KeptRefusal): void {
    const known = this.#refusals.get(keyOf(refusal));
    if (known?.seq === refusal.seq && known.code === refusal.code) return;
    this.#refusals.set(keyOf(refusal), refusal);
    this.#context.counters.lanesRefused++;
    this.#context.emit({ type: "keepRefusal", refusal });
    this.#context.emit({ type: "event", event: { name: "lane.refused", refusal } });
  }

  /** Offers a refused lane again, to one store or to all that refused it. */
  retry(document: DocumentId, lane: LaneId, store?: StoreId): void {
    const forgotten = this.forget(document, lane, store);
    for (const link of this.#context.linksOf(document)) {
      const { store: ofLink } = link.session.peer;
      if (forgotten.some((refusal) => refusal.store === ofLink)) link.retry(lane);
    }
  }

  /** Takes back what is known of a lane, of one store or of all. Returns what that was. */
  forget(document: DocumentId, lane: LaneId, store?: StoreId): readonly KeptRefusal[] {
    const forgotten = this.all.filter((each) => {
      const isOfStore = store === undefined || each.store === store;
      return isOfStore && each.document === document && each.lane === lane;
    });
    for (const refusal of forgotten) {
      this.#refusals.delete(keyOf(refusal));
      this.#context.emit({ type: "forgetRefusal", refusal });
    }
    return forgotten;
  }
}

function keyOf({ store, document, lane }: KeptRefusal): string {
  return store + document + lane;
}
