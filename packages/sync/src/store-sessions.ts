import { HeddleErrorCode, type StoreId } from "@heddle/core";

import type { Outbox } from "./outbox.ts";
import type { PeerSession } from "./peer-session.ts";

/**
 * Live sessions by the store at their other end, and which of them the outbox listens to. Connections to
 * one store overlap: with a process that is gone and whose last frames are still on their way, with its
 * next one, with a copy of it. The connection that was made last is with the latest of them, whichever
 * greeting comes first.
 */
export class StoreSessions {
  readonly #outbox: Outbox;
  readonly #stores = new Map<PeerSession, StoreId>();
  /** In the order in which connections were made. */
  readonly #sessions = new Map<StoreId, readonly PeerSession[]>();

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  began(session: PeerSession): void {
    const { store } = session.peer;
    const others = this.#sessions.get(store) ?? [];
    const inOrder = [...others, session].toSorted((a, b) => a.connection - b.connection);
    this.#stores.set(session, store);
    this.#sessions.set(store, inOrder);
    if (inOrder.at(-1) === session) this.#outbox.began(session.peer);
  }

  /** What is left of another incarnation was not listened to: it has to say everything anew. */
  ended(session: PeerSession): void {
    const store = this.#stores.get(session);
    if (store === undefined) return;
    this.#stores.delete(session);
    const left = this.#sessions.get(store)!.filter((each) => each !== session);
    if (left.length > 0) this.#sessions.set(store, left);
    else this.#sessions.delete(store);
    const latest = left.at(-1);
    if (latest === undefined) return this.#outbox.ended(store);
    if (this.#outbox.isPresent(latest.peer)) this.#outbox.began(latest.peer);
    else latest.close(HeddleErrorCode.sessionClosed);
  }
}
