import type { DocumentEntry, DocumentId } from "@heddle/core";

/** Documents that are exchanged with every peer because somebody here has them open, counted. */
export class WantedDocuments {
  readonly #wanted = new Map<DocumentId, { readonly entry: DocumentEntry; count: number }>();

  get entries(): readonly DocumentEntry[] {
    return [...this.#wanted.values()].map(({ entry }) => entry);
  }

  /** The returned function takes this one wish back, once; `onLast` is called when it was the last. */
  add(entry: DocumentEntry, onLast: () => void): () => void {
    const wanted = this.#wanted.get(entry.id) ?? { entry, count: 0 };
    this.#wanted.set(entry.id, wanted);
    wanted.count++;
    let isWanted = true;
    return () => {
      if (!isWanted) return;
      isWanted = false;
      if (--wanted.count > 0) return;
      this.#wanted.delete(entry.id);
      onLast();
    };
  }
}
