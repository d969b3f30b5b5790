import type { LaneId } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import type { SyncContext } from "./sync-context.ts";

/** Seqs, by lane, up to which the peer is to be sent the log first. */
type Mark = ReadonlyMap<LaneId, number>;

/**
 * Presence on its way to one peer. It waits behind what was on our disk before it, so that a caret
 * never points at text that has not arrived (RLY-6). What finds no room is dropped, and when there is
 * room again the host is told (`presence.due`) to say who is here as a whole:
 *
 *   closed ──the peer opens the document──► due ──log sent──► open ◄──► waiting ──too much──► due
 */
export class LinkPresence {
  readonly #context: SyncContext;
  readonly #link: DocumentLink;
  readonly #waiting: { readonly payload: Uint8Array; readonly behind: Mark }[] = [];
  #due: { behind: Mark | undefined } | undefined;

  constructor(context: SyncContext, link: DocumentLink) {
    this.#context = context;
    this.#link = link;
  }

  /** The peer hears of the document from now on, and knows nothing of who is here. */
  opened(): void {
    this.#beginAnew();
  }

  send(payload: Uint8Array): void {
    const { counters, limits } = this.#context;
    if (!this.#link.isOpenedByPeer || this.#due) {
      counters.ephemeralDropped++;
      return;
    }
    this.#waiting.push({ payload, behind: this.#link.positions.unsent });
    const { waitingPresence } = this.#link.session;
    waitingPresence.bytes += payload.length;
    const isFull =
      this.#waiting.length > limits.ephemeralsWaitingMax ||
      waitingPresence.bytes > limits.ephemeralBytesWaitingMax;
    if (isFull) this.#beginAnew();
    this.#link.session.showing.add(this.#link);
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#due === undefined;
  }

  /** Sends what may be sent; true when nothing waits. */
  flush(): boolean {
    const { session, ourRef } = this.#link;
    if (!this.#link.isOpenedByPeer) {
      this.#drop();
      this.#due = undefined;
    }
    while (this.#waiting.length > 0 && session.isCreditOpen) {
      const { payload, behind } = this.#waiting[0]!;
      if (!this.#isSent(behind)) break;
      this.#waiting.shift();
      session.waitingPresence.bytes -= payload.length;
      this.#context.counters.ephemeralsSent++;
      session.send({ name: "ephemeral", documentRef: ourRef, payload });
    }
    if (this.#due && session.isCreditOpen && this.#link.positions.isHeard) {
      const behind = (this.#due.behind ??= this.#link.positions.unsent);
      if (this.#isSent(behind)) this.#tellDue();
    }
    return this.isEmpty;
  }

  #tellDue(): void {
    this.#due = undefined;
    const { session, document } = this.#link;
    const event = { name: "presence.due", peer: session.key, document } as const;
    this.#context.emit({ type: "event", event });
  }

  #beginAnew(): void {
    this.#drop();
    this.#due = { behind: undefined };
    this.#link.session.showing.add(this.#link);
  }

  #drop(): void {
    this.#context.counters.ephemeralDropped += this.#waiting.length;
    for (const { payload } of this.#waiting.splice(0)) {
      this.#link.session.waitingPresence.bytes -= payload.length;
    }
  }

  /** What a peer lacks below our floors comes to it in a checkpoint, all at once. */
  #isSent(behind: Mark): boolean {
    const { positions, exchange } = this.#link;
    if (!positions.isHeard || positions.isBelow(exchange.ledger.floors)) return false;
    for (const [lane, seq] of behind) if (positions.aboveSeq(lane) < seq) return false;
    return true;
  }
}
