import type { DocumentId } from "@heddle/core";

interface Access {
  readers: number;
  /** Resolves when the log that is being pruned may be read again. */
  pruning: Promise<void> | undefined;
  wake: (() => void) | undefined;
}

/**
 * Keeps readers of a document's log and the pruning of that log apart: a reader that has chosen a
 * checkpoint may count on finding the log right above it. Different documents do not wait for each
 * other.
 */
export class DocumentAccess {
  readonly #documents = new Map<DocumentId, Access>();

  async reading<Value>(document: DocumentId, read: () => Promise<Value>): Promise<Value> {
    const access = this.#of(document);
    while (access.pruning) await access.pruning;
    access.readers++;
    try {
      return await read();
    } finally {
      access.readers--;
      if (access.readers === 0) access.wake?.();
      this.#forget(document, access);
    }
  }

  /** Waits until nobody reads; who wants to read from then on waits for the end of `prune`. */
  async pruning<Value>(document: DocumentId, prune: () => Promise<Value>): Promise<Value> {
    const access = this.#of(document);
    while (access.pruning) await access.pruning;
    let done: (() => void) | undefined;
    access.pruning = new Promise((resolve) => {
      done = resolve;
    });
    try {
      if (access.readers > 0) {
        await new Promise<void>((resolve) => {
          access.wake = resolve;
        });
      }
      return await prune();
    } finally {
      access.pruning = undefined;
      access.wake = undefined;
      done?.();
      this.#forget(document, access);
    }
  }

  #of(document: DocumentId): Access {
    let access = this.#documents.get(document);
    if (access === undefined) {
      access = { readers: 0, pruning: undefined, wake: undefined };
      this.#documents.set(document, access);
    }
    return access;
  }

  #forget(document: DocumentId, access: Access): void {
    if (access.readers === 0 && access.pruning === undefined) this.#documents.delete(document);
  }
}
