import type { DocumentEntry, DocumentId } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import { FeedFollowers } from "./feed-followers.ts";
import type { FrameOf } from "./frame.ts";
import { KeptCursors } from "./kept-cursors.ts";
import { LibraryComparisons } from "./library-comparisons.ts";
import { Library } from "./library.ts";
import type { OpenDocuments } from "./open-documents.ts";
import type { PeerSession } from "./peer-session.ts";
import { RestingDocuments } from "./resting-documents.ts";
import type { SyncContext } from "./sync-context.ts";
import type { FeedCursor } from "./sync-effects.ts";
import { SyncProgressReports } from "./sync-progress.ts";

/**
 * Who is told of which documents: peers that follow our feed, what comparing libraries finds that they
 * lack, and where this replica stands in the feeds of others.
 */
export class PeerFeeds {
  readonly library: Library;
  readonly followers: FeedFollowers;
  /** Where this replica stands in the feeds of others. */
  readonly cursors: KeptCursors;
  readonly #context: SyncContext;
  readonly #documents: OpenDocuments;
  readonly #comparisons: LibraryComparisons;
  readonly #resting: RestingDocuments;
  readonly #progress: SyncProgressReports;
  readonly #isWanted: (document: DocumentId) => boolean;

  /** `cursors` by store id. `isWanted`: somebody here has the document open. */
  constructor(
    context: SyncContext,
    documents: OpenDocuments,
    {
      cursors,
      isWanted,
    }: {
      readonly cursors: ReadonlyMap<string, FeedCursor>;
      readonly isWanted: (document: DocumentId) => boolean;
    },
  ) {
    this.#context = context;
    this.#documents = documents;
    this.#isWanted = isWanted;
    this.cursors = new KeptCursors(context, cursors);
    this.library = new Library(context, (id) => documents.digestOf(id));
    const { library } = this;
    this.followers = new FeedFollowers(context, documents, {
      get trie() {
        return library.trie;
      },
      compare: (session) => {
        this.#comparisons.need(session, this.cursors.get(session.peer.store) === undefined);
      },
    });
    this.#comparisons = new LibraryComparisons(context, library, this.followers);
    this.#resting = new RestingDocuments(context, documents, isWanted);
    this.#progress = new SyncProgressReports(context);
  }

  /** Documents are exchanged on the session from now on. */
  began(session: PeerSession): void {
    if (session.comparesLibraries) this.#comparisons.began(session);
    if (this.#context.options.follow) session.follow(this.cursors.get(session.peer.store));
  }

  ended(session: PeerSession): void {
    this.followers.end(session);
    this.#comparisons.ended(session);
    this.#progress.end(session);
  }

  /** Something of a document is on disk that was not. */
  changed(entry: DocumentEntry): void {
    this.library.changed(entry.id);
    this.followers.offer(entry);
  }

  receiveLibrary(session: PeerSession, frame: FrameOf<"library">): void {
    this.#comparisons.receive(session, frame);
  }

  /** The peer gives a document up. Where nobody here wants it either, it is given up on both sides. */
  closed(link: DocumentLink, session: PeerSession): void {
    const isMeant = this.#context.rules.lets(session, link.exchange.ledger.entry);
    if (isMeant && this.#isWanted(link.document)) return;
    const { isSettled } = link;
    this.#documents.close(link);
    // It has not heard of what it lacks yet.
    if (!isSettled) this.followers.offerTo(session, link.exchange.ledger.entry);
  }

  tick(sessions: Iterable<PeerSession>): void {
    this.followers.tick();
    this.#comparisons.tick();
    for (const session of sessions) {
      if (!session.isLive) continue;
      const isMutual = session.comparesLibraries && this.followers.isFollowing(session);
      if (isMutual) this.#resting.tick(session);
      this.#progress.tick(session, {
        isFirst: this.#context.options.follow && this.cursors.get(session.peer.store) === undefined,
        documentsWaiting: this.followers.waitingFor(session),
      });
    }
  }
}
