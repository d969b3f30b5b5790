import type { DocumentEntry, DocumentId, HeddleErrorCode } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import type { FrameOf } from "./frame.ts";
import type { MachineContext } from "./machine-context.ts";
import type { OpenDocuments } from "./open-documents.ts";
import type { PeerFeeds } from "./peer-feeds.ts";
import { PeerSession } from "./peer-session.ts";
import type { SessionGate } from "./session-gate.ts";
import type { ConnectionPlace, SessionHost } from "./session-host.ts";
import { StoreSessions } from "./store-sessions.ts";
import type { FeedCursor, PeerKey } from "./sync-effects.ts";

/** What sessions meet in the replica around them. */
export interface SessionSurroundings {
  readonly documents: OpenDocuments;
  readonly gate: SessionGate;
  readonly feeds: PeerFeeds;
  /** Documents that this replica exchanges with every peer. */
  readonly wanted: ReadonlyMap<DocumentId, DocumentEntry>;
}

/** All connections to peers, and what becomes of what is said on them beyond one session. */
export class LiveSessions implements SessionHost {
  readonly #context: MachineContext;
  readonly #around: SessionSurroundings;
  readonly #sessions = new Map<PeerKey, PeerSession>();
  readonly #stores: StoreSessions;
  #isStopping = false;

  constructor(context: MachineContext, around: SessionSurroundings) {
    this.#context = context;
    this.#around = around;
    this.#stores = new StoreSessions(context.outbox);
  }

  get all(): Iterable<PeerSession> {
    return this.#sessions.values();
  }

  get(peer: PeerKey): PeerSession | undefined {
    return this.#sessions.get(peer);
  }

  /** What peers make this replica hold within the credit that they were given. */
  get heldBytes(): number {
    let bytes = 0;
    for (const session of this.#sessions.values()) bytes += session.heldBytes;
    return bytes;
  }

  get areSettled(): boolean {
    return [...this.#sessions.values()].every((session) => session.isSettled);
  }

  /** Ends all of them. Those that are left do not say what one does when another one ends. */
  stop(code: HeddleErrorCode): void {
    const all = [...this.#sessions.values()];
    this.#isStopping = true;
    for (const session of all) session.close(code);
    this.#isStopping = false;
    this.#forget(all);
  }

  begin(place: ConnectionPlace): void {
    this.#sessions.set(place.key, new PeerSession(this.#context, this, place));
  }

  onLive(session: PeerSession): void {
    const { documents, gate, feeds, wanted } = this.#around;
    const { store } = session.peer;
    const event = { name: "session.live", peer: session.key, store } as const;
    this.#context.emit({ type: "event", event });
    this.#stores.began(session);
    gate.begin(session, () => {
      feeds.began(session);
      for (const entry of wanted.values()) documents.link(session, entry);
    });
  }

  onClosed(session: PeerSession, code: HeddleErrorCode): void {
    const { gate, feeds } = this.#around;
    this.#sessions.delete(session.key);
    gate.end(session);
    feeds.ended(session);
    this.#context.reorderBuffer.forget(({ origin }) => origin.session === session);
    this.#context.emit({ type: "close", peer: session.key, code });
    const event = { name: "session.closed", peer: session.key, code } as const;
    this.#context.emit({ type: "event", event });
    if (!this.#isStopping) this.#forget([session]);
  }

  onOpen(
    session: PeerSession,
    entry: DocumentEntry,
    then: (link: DocumentLink) => void,
    failed: () => void,
  ): void {
    const { documents, gate, wanted } = this.#around;
    const isFirst = gate.isFirst(entry.id);
    const link = (): void => {
      const isOpenedByPeer = !isFirst && !wanted.has(entry.id);
      documents.link(session, entry, then, failed, isOpenedByPeer);
    };
    if (isFirst) link();
    else gate.whenOpen(session, link);
  }

  takes(document: DocumentId): boolean {
    const { documents, gate, wanted } = this.#around;
    const isOffered = documents.linksOf(document).length > 0;
    const isOurs = wanted.has(document) || gate.isFirst(document);
    return this.#context.options.adopt || isOffered || isOurs;
  }

  onClose(session: PeerSession, link: DocumentLink): void {
    this.#around.feeds.closed(link, session);
  }

  onLibrary(session: PeerSession, frame: FrameOf<"library">): void {
    this.#around.feeds.receiveLibrary(session, frame);
  }

  onCursor(session: PeerSession, cursor: FeedCursor | undefined): void {
    const { gate, feeds } = this.#around;
    gate.whenFollowed(session, cursor, (from) => feeds.followers.follow(session, from));
  }

  #forget(ended: readonly PeerSession[]): void {
    for (const session of ended) {
      this.#around.documents.unlink(session);
      this.#stores.ended(session);
    }
    this.#context.outbox.keepAll();
  }
}
