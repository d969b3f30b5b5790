import type { DocumentId } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import type { OfferedDocument } from "./document-offers.ts";
import type { PeerSession } from "./peer-session.ts";
import { fullJitter } from "./retry-policy.ts";
import type { SyncContext } from "./sync-context.ts";

/** A link that was asked for and could not be made. */
export interface WantedLink {
  readonly session: PeerSession;
  readonly entry: OfferedDocument;
  readonly made: (link: DocumentLink) => void;
  readonly failed: () => void;
}

interface Waiting extends WantedLink {
  attempts: number;
  dueMs: number;
}

/**
 * Documents that this side wants to exchange and could not read: tried again while the session lasts, with
 * full jitter. What a peer wants it asks for again by itself.
 */
export class UnreadDocuments {
  readonly #context: SyncContext;
  readonly #waiting = new Map<PeerSession, Map<DocumentId, Waiting>>();

  constructor(context: SyncContext) {
    this.#context = context;
  }

  add(wanted: WantedLink): void {
    const { session, entry } = wanted;
    const ofSession = this.#waiting.get(session) ?? new Map<DocumentId, Waiting>();
    this.#waiting.set(session, ofSession);
    const attempts = (ofSession.get(entry.id)?.attempts ?? 0) + 1;
    const { limits, nowMs, options } = this.#context;
    const bounds = { delayMsMin: limits.retryMsMin * 5, delayMsMax: limits.retryMsMax };
    const dueMs = nowMs + fullJitter(attempts, bounds, options.random);
    ofSession.set(entry.id, { ...wanted, attempts, dueMs });
  }

  /** There is a link. */
  done(session: PeerSession, document: DocumentId): void {
    this.#waiting.get(session)?.delete(document);
  }

  /** The session is over. */
  end(session: PeerSession): void {
    this.#waiting.delete(session);
  }

  /** Those whose time has come; each is asked for once. */
  takeDue(): readonly WantedLink[] {
    const due: Waiting[] = [];
    for (const ofSession of this.#waiting.values()) {
      for (const each of ofSession.values()) if (this.#context.nowMs >= each.dueMs) due.push(each);
    }
    for (const each of due) each.dueMs = Infinity;
    return due;
  }
}
