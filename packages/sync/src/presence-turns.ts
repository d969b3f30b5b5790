import type { DocumentLink } from "./document-link.ts";

/**
 * Documents of one session whose presence is to be sent, in turns. Where it waits for what lies before it, it is
 * looked at again when something of that document was sent or heard, and otherwise at a tick: of the thousands
 * that a library may open at once, a frame is about one.
 *
 *   ready ──cannot be sent yet──► behind ──something of the document, or a tick──► ready
 *     └──all of it sent──► forgotten
 */
export class PresenceTurns {
  readonly #ready = new Set<DocumentLink>();
  readonly #behind = new Set<DocumentLink>();

  add(link: DocumentLink): void {
    this.#behind.delete(link);
    this.#ready.add(link);
  }

  /** Something of its document was sent, or the peer said something of it. */
  moved(link: DocumentLink): void {
    if (this.#behind.delete(link)) this.#ready.add(link);
  }

  /** Floors, forks and who serves whom may have changed without a word about the document. */
  tick(): void {
    for (const link of this.#behind) this.#ready.add(link);
    this.#behind.clear();
  }

  /** Sends what may be sent while `isOpen`. */
  flush(isOpen: () => boolean): void {
    for (const link of this.#ready) {
      if (!isOpen()) return;
      const isDone = link.presence.flush();
      // Without credit it has only begun.
      if (!isDone && !isOpen()) return;
      this.#ready.delete(link);
      if (!isDone) this.#behind.add(link);
    }
  }

  clear(): void {
    this.#ready.clear();
    this.#behind.clear();
  }
}
