import { equalBytes, type DocumentEntry, type DocumentId } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import { DocumentOffers, type OfferedDocument } from "./document-offers.ts";
import { checkOf } from "./feed-position.ts";
import type { FoundDocuments } from "./library-comparison.ts";
import type { LibraryTrie } from "./library-trie.ts";
import type { OpenDocuments } from "./open-documents.ts";
import type { OwnTops } from "./own-envelopes.ts";
import type { PeerSession } from "./peer-session.ts";
import type { SyncContext } from "./sync-context.ts";
import type { FeedCursor } from "./sync-effects.ts";

/** A session whose peer follows our feed. */
interface Following {
  /** Documents it may lack and was not asked about. */
  readonly waiting: DocumentOffers;
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
  /** The changes since its cursor are known, or all that it lacks. */
  isListed: boolean;
  /** What it lacks may be found by comparing. */
  mayCompare: boolean;
  /** What it was last told it will still be offered, and when. */
  toldCount: number;
  toldMs: number;
}

/** What followers need of the comparing of libraries. */
export interface FollowersLibrary {
  readonly trie: LibraryTrie | undefined;
  /** Finds what a peer lacks: {@link FeedFollowers.found}, and {@link FeedFollowers.compared} at the end. */
  compare(session: PeerSession): void;
}

/**
 * Peers that are told of every document that changes here:
 *
 *   CURSOR ──changes since──► opening, some at a time ──nothing missing──► MARK ──a change──► opening
 *     └──────libraries compared──┘
 */
export class FeedFollowers {
  readonly #context: SyncContext;
  readonly #documents: OpenDocuments;
  readonly #library: FollowersLibrary;
  readonly #following = new Map<PeerSession, Following>();
  #seenArrival = -1;
  #changedMs = -Infinity;

  constructor(context: SyncContext, documents: OpenDocuments, library: FollowersLibrary) {
    this.#context = context;
    this.#documents = documents;
    this.#library = library;
  }

  follow(session: PeerSession, cursor: FeedCursor | undefined): void {
    const known = this.#following.get(session);
    if (known) {
      // It asks again: it has not heard a MARK.
      known.markedArrival = -1;
      return;
    }
    const following: Following = {
      waiting: new DocumentOffers(
        () => this.#library.trie,
        (document) => this.#mayOffer(session, document),
      ),
      opening: new Set(),
      comparing: new Set(),
      unanswered: new Set(),
      unopened: new Set(),
      markedArrival: -1,
      markedMs: -Infinity,
      isListed: false,
      mayCompare: session.comparesLibraries,
      toldCount: 0,
      toldMs: -Infinity,
    };
    this.#following.set(session, following);
    // At 0 it was told of less than there is: what it lacks is found anew.
    const isKnown = cursor !== undefined && cursor.arrival > 0 && this.#knows(cursor);
    this.#list(session, following, isKnown ? cursor : undefined);
  }

  /** Finds what has changed since `cursor`; without one what the peer lacks, or all that there is. */
  #list(session: PeerSession, following: Following, cursor: FeedCursor | undefined): void {
    const { outbox, lastArrival } = this.#context;
    const { tops } = outbox.own;
    const isCompared = cursor === undefined && following.mayCompare;
    // Forked documents count as changed whenever they did: equal logs do not say that both know of it.
    const after = cursor?.arrival ?? (isCompared ? lastArrival : 0);
    this.#context.request("changes", { after }, (entries) => {
      // The peer asks again until it hears MARK, and then this is tried again.
      if (entries === "unreadable") return this.end(session);
      const changed = new Set(entries.map(({ id }) => id));
      outbox.followed(session.peer, tops, cursor && ((id) => !changed.has(id)));
      for (const entry of entries) following.waiting.add(entry);
      if (isCompared) this.#library.compare(session);
      else following.isListed = true;
      this.#openMore(session, following);
    });
  }

  end(session: PeerSession): void {
    this.#following.delete(session);
  }

  /** A document changed here. */
  offer(entry: DocumentEntry): void {
    for (const [session, following] of this.#following) this.#offerTo(session, following, entry);
  }

  /** The same, for one of them. */
  offerTo(session: PeerSession, document: OfferedDocument): void {
    const following = this.#following.get(session);
    if (following) this.#offerTo(session, following, document);
  }

  /** Whether a peer is told of every document that changes. */
  isFollowing(session: PeerSession): boolean {
    return this.#following.has(session);
  }

  /** A comparison found documents that the peer may lack; `trie` is what it was shown. */
  found(session: PeerSession, { documents, under }: FoundDocuments, trie: LibraryTrie): void {
    const following = this.#following.get(session);
    if (!following) return;
    for (const id of documents) {
      if (!this.#documents.isOpenOn(session, id)) following.waiting.add({ id });
    }
    for (const place of under) following.waiting.addUnder(place, trie.countUnder(place));
    this.#openMore(session, following);
  }

  /** Libraries were compared to the end: the peer has everything of these documents. */
  compared(session: PeerSession, tops: OwnTops, isEqual: (document: DocumentId) => boolean): void {
    this.#context.outbox.followed(session.peer, tops, isEqual);
    const following = this.#following.get(session);
    if (following) following.isListed = true;
  }

  /** They cannot be compared, and everything is offered. */
  failed(session: PeerSession): void {
    const following = this.#following.get(session);
    if (!following || following.isListed) return;
    following.mayCompare = false;
    this.#list(session, following, undefined);
  }

  /** Either side has documents that it is still going to offer. */
  isOffering(session: PeerSession): boolean {
    return this.waitingFor(session) + session.offering.documents > 0;
  }

  /** Nothing is on its way, as far as either side knows what the other one lacks. */
  isAtRest(session: PeerSession): boolean {
    if (this.isOffering(session)) return false;
    const following = this.#following.get(session);
    if (!following) return isSettledWith(session);
    return following.isListed && following.opening.size === 0 && isSettledWith(session);
  }

  /** The peer said something: what it was asked about may be settled, and makes room for more. */
  heard(session: PeerSession): void {
    const following = this.#following.get(session);
    if (following && following.waiting.count > 0) this.#openMore(session, following);
  }

  /** Documents that a session was not asked about yet. */
  waitingFor(session: PeerSession): number {
    return this.#following.get(session)?.waiting.count ?? 0;
  }

  /**
   * Tells followers how far they have everything, once they do: the first time at once, afterwards when
   * nothing has changed for a while. A cursor is where to begin, and a little too early is early enough.
   */
  tick(): void {
    const { lastArrival, options, nowMs, limits, rules } = this.#context;
    if (lastArrival !== this.#seenArrival) {
      this.#seenArrival = lastArrival;
      this.#changedMs = nowMs;
    }
    const isAtRest = nowMs - this.#changedMs >= limits.markRestMs;
    for (const [session, following] of this.#following) {
      this.#openMore(session, following);
      this.#tellCount(session, following);
      const { isListed, unopened, waiting, opening, markedArrival } = following;
      const isAllOpen = waiting.count === 0 && opening.size === 0 && unopened.size === 0;
      const isOffered = isListed && isAllOpen;
      if (markedArrival === lastArrival || !isOffered) continue;
      const isDue = nowMs - following.markedMs >= limits.markEveryMs;
      const isWorthwhile = markedArrival < 0 || isAtRest || isDue;
      if (!isWorthwhile || !isSettledWith(session)) continue;
      following.markedArrival = lastArrival;
      following.markedMs = nowMs;
      const incarnation = options.incarnations.at(-1)!.nonce;
      // Of who is not told of everything, nobody may believe later that it has everything up to here.
      const arrival = rules.areThereFor(session) ? 0 : lastArrival;
      const check = checkOf(options.hash, { incarnation, arrival });
      session.send({ name: "mark", incarnation, arrival, check });
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
    const isDone = (link: DocumentLink): boolean => {
      return link.isSettled || session.links.get(link.ourRef) !== link;
    };
    for (const link of comparing) {
      if (link.isUnanswered) unanswered.add(link);
      if (link.isUnanswered || isDone(link)) comparing.delete(link);
    }
    for (const link of unanswered) if (isDone(link)) unanswered.delete(link);
    for (;;) {
      const isFull = opening.size + comparing.size >= openingDocumentsMax;
      if (isFull || unanswered.size >= unansweredDocumentsMax) return;
      const document = waiting.take();
      if (document === undefined) return;
      const { id } = document;
      if (!this.#mayOffer(session, document)) continue;
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
      this.#documents.link(session, document, opened, failed);
    }
  }

  #offerTo(session: PeerSession, following: Following, document: OfferedDocument): void {
    if (this.#documents.isOpenOn(session, document.id)) return;
    following.waiting.add(document);
    this.#openMore(session, following);
  }

  #mayOffer(session: PeerSession, document: OfferedDocument): boolean {
    const { rules, counters } = this.#context;
    const mayOffer = rules.lets(session, document);
    if (!mayOffer) counters.documentsWithheld++;
    return mayOffer;
  }

  /** How many documents a peer is still going to be offered, for those who wait there; see `PeerOffering`. */
  #tellCount(session: PeerSession, following: Following): void {
    const { nowMs, limits } = this.#context;
    if (!session.isLive || !session.comparesLibraries) return;
    const documents = following.waiting.count + following.opening.size;
    const isNews = documents !== following.toldCount;
    const restMs = isNews ? limits.progressMs : limits.libraryPatienceMs / 4;
    const isOver = documents === 0 && isNews;
    if (!isOver && (documents === 0 || nowMs - following.toldMs < restMs)) return;
    following.toldCount = documents;
    following.toldMs = nowMs;
    session.send({ name: "offering", documents });
  }
}

function isSettledWith(session: PeerSession): boolean {
  const isIdle = [...session.links.values()].every((link) => link.exchange.isIdle);
  return session.isSettled && isIdle;
}
