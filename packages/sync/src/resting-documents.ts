import type { DocumentId } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import type { OpenDocuments } from "./open-documents.ts";
import type { PeerSession } from "./peer-session.ts";
import type { SyncContext } from "./sync-context.ts";

/**
 * Documents of which nothing came for a while, where a session has very many: those that nobody here wants
 * are closed, the ones at rest for longest first, so that a library takes no more memory than the documents
 * that somebody works on. Only with peers who are told of every change, and tell: whichever side changes one
 * opens it again.
 */
export class RestingDocuments {
  readonly #context: SyncContext;
  readonly #documents: OpenDocuments;
  readonly #isWanted: (document: DocumentId) => boolean;

  constructor(
    context: SyncContext,
    documents: OpenDocuments,
    isWanted: (document: DocumentId) => boolean,
  ) {
    this.#context = context;
    this.#documents = documents;
    this.#isWanted = isWanted;
  }

  tick(session: PeerSession): void {
    const { limits, counters } = this.#context;
    const over = session.links.size - limits.restingDocumentsMax;
    if (over <= 0) return;
    const resting = [...session.links.values()].filter((link) => this.#isResting(link));
    for (const link of resting.toSorted((a, b) => a.settledMs - b.settledMs).slice(0, over)) {
      counters.documentsRested++;
      this.#documents.close(link);
    }
  }

  #isResting({ document, isSettled, settledMs, exchange, presence }: DocumentLink): boolean {
    const { nowMs, limits } = this.#context;
    const isDone = isSettled && exchange.isIdle && presence.isEmpty;
    return isDone && nowMs - settledMs >= limits.restMs && !this.#isWanted(document);
  }
}
