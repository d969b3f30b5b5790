import { equalBytes, type DocumentEntry, type DocumentId } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import { checkOf } from "./feed-position.ts";
import type { OpenDocuments } from "./open-documents.ts";
import type { PeerSession } from "./peer-session.ts";
import type { SyncContext } from "./sync-context.ts";
import type { FeedCursor } from "./sync-effects.ts";

/** A session whose peer follows our feed. */
interface Following {
  /** Documents it may lack and was not asked about. */
  readonly waiting: Map<DocumentId, DocumentEntry>;
  /** Those that are being loaded: nobody knows yet what the peer lacks of them. */
  readonly opening: Set<DocumentId>;
  /** Those that were opened last, until neither side lacks anything of them. */
  readonly comparing: Set<DocumentLink>;
  /** Those of them to which the peer does not answer, and which the others do not wait for. */
  readonly unanswered: Set<DocumentLink>;
  /** Those that could not be opened, so that it cannot be said that the peer has everything. */
  readonly unopened: Set<DocumentId>;
  markedArrival: number;
  markedMs: number;
  /** The changes since its cursor are known. */
  isListed: boolean;
}

/**
 * Peers that are told of every document that changes here:
 *
 *   CURSOR ──changes since──► opening, some at a time ──nothing missing──► MARK ──a change──► opening
 */
export class FeedFollowers {
  readonly #context: SyncContext;
  readonly #documents: OpenDocuments;
  readonly #following = new Map<PeerSession, Following>();
  #seenArrival = -1;
  #changedMs = -Infinity;

  constructor(context: SyncContext, documents: OpenDocuments) {
    this.#context = context;
    this.#documents = documents;
  }

  follow(session: PeerSession, cursor: FeedCursor | undefined): void {
    const known = this.#following.get(session);
    if (known) {
      // It asks again: it has not heard a MARK.
      known.markedArrival = -1;
      return;
    }
    const following: Following = {
      waiting: new Map(),
      opening: new Set(),
      comparing: new Set(),
      unanswered: new Set(),
      unopened: new Set(),
      markedArrival: -1,
      markedMs: -Infinity,
      isListed: false,
    };
    this.#following.set(session, following);
    const isKnown = cursor !== undefined && this.#knows(cursor);
    const after = isKnown ? cursor.arrival : 0;
    const { outbox } = this.#context;
    const { tops } = outbox.own;
    this.#context.request("changes", { after }, (entries) => {
      // The peer asks again until it hears MARK, and then this is tried again.
      if (entries === "unreadable") return this.end(session);
      const changed = new Set(entries.map(({ id }) => id));
      outbox.followed(session.peer, tops, isKnown ? changed : undefined);
      for (const entry of entries) following.waiting.set(entry.id, entry);
      following.isListed = true;
      this.#openMore(session, following);
    });
  }

  end(session: PeerSession): void {
    this.#following.delete(session);
  }

  /** A document changed here. */
  offer(entry: DocumentEntry): void {
    for (const [session, following] of this.#following) {
      if (this.#documents.isOpenOn(session, entry.id)) continue;
      following.waiting.set(entry.id, entry);
      this.#openMore(session, following);
    }
  }

  /** The peer said something: what it was asked about may be settled, and makes room for more. */
  heard(session: PeerSession): void {
    const following = this.#following.get(session);
    if (following && following.waiting.size > 0) this.#openMore(session, following);
  }

  /** Documents that a session was not asked about yet. */
  waitingFor(session: PeerSession): number {
    return this.#following.get(session)?.waiting.size ?? 0;
  }

  /**
   * Tells followers how far they have everything, once they do: the first time at once, afterwards when
   * nothing has changed for a while. A cursor is where to begin, and a little too early is early enough.
   */
  tick(): void {
    const { lastArrival, options, nowMs, limits } = this.#context;
    if (lastArrival !== this.#seenArrival) {
      this.#seenArrival = lastArrival;
      this.#changedMs = nowMs;
    }
    const isAtRest = nowMs - this.#changedMs >= limits.markRestMs;
    for (const [session, following] of this.#following) {
      this.#openMore(session, following);
      const { isListed, unopened, waiting, opening, markedArrival } = following;
      const isAllOpen = waiting.size === 0 && opening.size === 0 && unopened.size === 0;
      const isOffered = isListed && isAllOpen;
      if (markedArrival === lastArrival || !isOffered) continue;
      const isDue = nowMs - following.markedMs >= limits.markEveryMs;
      const isWorthwhile = markedArrival < 0 || isAtRest || isDue;
      if (!isWorthwhile || !isSettledWith(session)) continue;
      following.markedArrival = lastArrival;
      following.markedMs = nowMs;
      const incarnation = options.incarnations.at(-1)!.nonce;
      const check = checkOf(options.hash, { incarnation, arrival: lastArrival });
      session.send({ name: "mark", incarnation, arrival: lastArrival, check });
    }
  }

  /**
   * True when our history holds what the cursor names. A copied or restored store does not know the
   * incarnation, or knows that it went no further than below the cursor.
   */
  #knows({ incarnation, arrival }: FeedCursor): boolean {
    const { incarnations } = this.#context.options;
    const index = incarnations.findIndex(({ nonce }) => equalBytes(nonce, incarnation));
    const next = incarnations[index + 1];
    const lastArrival = next ? next.firstArrival - 1 : this.#context.lastArrival;
    return index >= 0 && arrival <= lastArrival;
  }

  /** Opens what a follower was not asked about yet, some at a time. */
  #openMore(session: PeerSession, following: Following): void {
    if (!session.isLive) return;
    const { openingDocumentsMax, unansweredDocumentsMax } = this.#context.limits;
    const { waiting, opening, comparing, unanswered, unopened } = following;
    // Of all that are open there may be very many; of these there are no more than are opened at a time.
    for (const link of comparing) {
      if (link.isUnanswered) unanswered.add(link);
      if (link.isUnanswered || link.isSettled) comparing.delete(link);
    }
    for (const link of unanswered) if (link.isSettled) unanswered.delete(link);
    for (const [id, entry] of waiting) {
      const isFull = opening.size + comparing.size >= openingDocumentsMax;
      if (isFull || unanswered.size >= unansweredDocumentsMax) return;
      waiting.delete(id);
      opening.add(id);
      const opened = (link: DocumentLink): void => {
        opening.delete(id);
        unopened.delete(id);
        comparing.add(link);
      };
      const failed = (): void => {
        opening.delete(id);
        unopened.add(id);
      };
      this.#documents.link(session, entry, opened, failed);
    }
  }
}

function isSettledWith(session: PeerSession): boolean {
  const isIdle = [...session.links.values()].every((link) => link.exchange.isIdle);
  return session.isSettled && isIdle;
}
