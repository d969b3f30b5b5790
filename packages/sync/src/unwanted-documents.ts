import type { DocumentId } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import type { OpenDocuments } from "./open-documents.ts";
import type { ReplicationOptions } from "./sync-context.ts";

/**
 * Documents that nobody here wants any more. What is on its way of them, in either direction, comes to
 * its end first; then the peer is told (CLOSE), and both forget what the exchange took of memory:
 *
 * Sessions that come later are not asked for them. Who takes any document, or follows its peers, goes on.
 *
 *   wanted ──last wish taken back──► draining ──neither lacks anything──► CLOSE said, forgotten
 */
export class UnwantedDocuments {
  readonly #documents: OpenDocuments;
  readonly #draining = new Set<DocumentId>();

  readonly #wantsAll: boolean;

  constructor(documents: OpenDocuments, { adopt, follow }: ReplicationOptions) {
    this.#documents = documents;
    this.#wantsAll = adopt || follow;
  }

  add(document: DocumentId): void {
    if (!this.#wantsAll) this.#draining.add(document);
  }

  /** Somebody wants it again. */
  delete(document: DocumentId): void {
    this.#draining.delete(document);
  }

  tick(): void {
    for (const document of this.#draining) {
      const links = this.#documents.linksOf(document);
      for (const link of links) if (isDone(link)) this.#documents.close(link);
      if (this.#documents.linksOf(document).length === 0) this.#draining.delete(document);
    }
  }
}

function isDone({ isSettled, exchange, presence }: DocumentLink): boolean {
  return isSettled && exchange.isIdle && presence.isEmpty;
}
