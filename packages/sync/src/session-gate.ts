import { HeddleErrorCode, type DocumentId } from "@heddle/core";

import type { OpenDocuments } from "./open-documents.ts";
import type { PeerSession } from "./peer-session.ts";
import type { SyncContext } from "./sync-context.ts";
import type { FeedCursor } from "./sync-effects.ts";

/** What happened on a session before its gate was open. */
interface Waiting {
  readonly opened: () => void;
  /** No more than the documents that a peer may open on a session. */
  readonly actions: (() => void)[];
  /** The last that the peer said. */
  cursor?: { readonly cursor: FeedCursor | undefined; readonly follow: () => void };
}

/**
 * Sessions on which one document comes first:
 *
 *   live ──first document settled, its device a member──► open, documents are exchanged
 *                                └── its device removed ──► closed
 *
 * Without a first document every session is open from the beginning.
 */
export class SessionGate {
  readonly #context: SyncContext;
  readonly #documents: OpenDocuments;
  readonly #waiting = new Map<PeerSession, Waiting>();

  constructor(context: SyncContext, documents: OpenDocuments) {
    this.#context = context;
    this.#documents = documents;
  }

  isOpen(session: PeerSession): boolean {
    return session.isLive && !this.#waiting.has(session);
  }

  /** Whether a document is the one that comes first. */
  isFirst(document: DocumentId): boolean {
    return document === this.#context.options.first?.id;
  }

  /** A session is live; `opened` is called when its gate is open. */
  begin(session: PeerSession, opened: () => void): void {
    const { first } = this.#context.options;
    if (first === undefined) return opened();
    this.#waiting.set(session, { opened, actions: [] });
    this.#documents.link(session, first);
  }

  /** Now, or once the gate is open; never when the session ends before. */
  whenOpen(session: PeerSession, action: () => void): void {
    const waiting = this.#waiting.get(session);
    if (waiting) waiting.actions.push(action);
    else action();
  }

  /** The same for the place from which a peer follows; only the last one counts. */
  whenFollowed(
    session: PeerSession,
    cursor: FeedCursor | undefined,
    follow: (cursor: FeedCursor | undefined) => void,
  ): void {
    const waiting = this.#waiting.get(session);
    if (waiting) waiting.cursor = { cursor, follow: () => follow(cursor) };
    else follow(cursor);
  }

  /** Something was heard of a peer, or time has passed. */
  review(session: PeerSession): void {
    const { first, standingOf } = this.#context.options;
    const waiting = this.#waiting.get(session);
    if (waiting === undefined || first === undefined || !session.isLive) return;
    if (session.documents.linkTo(first.id)?.isSettled !== true) return;
    const standing = standingOf?.(session.peer.devicePublicKey) ?? "member";
    if (standing === "stranger") return undefined;
    this.#waiting.delete(session);
    if (standing === "removed") return session.close(HeddleErrorCode.membershipRefused);
    waiting.opened();
    for (const action of waiting.actions) session.attempt(action);
    waiting.cursor?.follow();
  }

  tick(): void {
    for (const session of this.#waiting.keys()) this.review(session);
  }

  end(session: PeerSession): void {
    this.#waiting.delete(session);
  }
}
