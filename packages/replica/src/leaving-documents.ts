import type { DocumentId } from "@heddle/core";

import type { ReplicaDocument } from "./replica-document.ts";

/** Documents that were given up and whose last round may not be on disk yet: not to be read before. */
export class LeavingDocuments {
  readonly #leaving = new Map<DocumentId, Promise<void>>();
  readonly #giveUps = new Set<() => void>();

  add(document: ReplicaDocument): void {
    const { id } = document.entry;
    const left = new Promise<void>((resolve) => {
      const leave = (): void => {
        this.#giveUps.delete(leave);
        this.#leaving.delete(id);
        resolve();
      };
      this.#giveUps.add(leave);
      void document.whenSettled().then(leave);
    });
    this.#leaving.set(id, left);
  }

  async whenLeft(id: DocumentId): Promise<void> {
    await this.#leaving.get(id);
  }

  /** The store failed: there is nothing to wait for any more. */
  giveUp(): void {
    for (const leave of this.#giveUps) leave();
  }
}
