import type { DocumentEntry, DocumentId } from "@heddle/core";

import type { LibraryTrie } from "./library-trie.ts";

/** A document that is to be offered; what is on disk says the rest where only its id is known. */
export type OfferedDocument = DocumentEntry | { readonly id: DocumentId };

/** A whole place of the library, as far as it was not taken yet. */
interface Place {
  readonly prefix: string;
  last: DocumentId | undefined;
  left: number;
}

/** Of a place, so many at a time. */
const documentsAtOnce = 64;
const placesMax = 4_096;

/**
 * Documents that a peer is to be asked about, in turns: those that are named, and then whole places of the
 * library, which take no memory by the document.
 */
export class DocumentOffers {
  readonly #named = new Map<DocumentId, OfferedDocument>();
  readonly #places: Place[] = [];
  readonly #library: () => LibraryTrie | undefined;

  /** `library` is there when places are added. */
  constructor(library: () => LibraryTrie | undefined) {
    this.#library = library;
  }

  /** How many there are; of places about as many as there were when they were added. */
  get count(): number {
    return this.#places.reduce((sum, { left }) => sum + left, this.#named.size);
  }

  add(document: OfferedDocument): void {
    const known = this.#named.get(document.id);
    if (known === undefined || "name" in document) this.#named.set(document.id, document);
  }

  addUnder(prefix: string): void {
    const left = this.#library()?.countUnder(prefix) ?? 0;
    // A place that is gone through goes on; begun anew, it would begin with what was offered.
    const isKnown = this.#places.some((place) => prefix.startsWith(place.prefix));
    if (left === 0 || isKnown) return;
    if (this.#places.length < placesMax) {
      this.#places.push({ prefix, last: undefined, left });
      return;
    }
    // So many that the whole library is no more.
    this.#places.length = 0;
    this.addUnder("");
  }

  /** The next one, which is not offered any more then. */
  take(): OfferedDocument | undefined {
    while (this.#named.size === 0 && this.#places.length > 0) this.#fill(this.#places[0]!);
    const [next] = this.#named.values();
    if (next) this.#named.delete(next.id);
    return next;
  }

  #fill(place: Place): void {
    const { prefix, last } = place;
    const ids = this.#library()?.documentsUnder(prefix, last, documentsAtOnce) ?? [];
    for (const id of ids) this.add({ id });
    place.last = ids.at(-1);
    place.left = Math.max(0, place.left - ids.length);
    if (ids.length < documentsAtOnce) this.#places.shift();
  }
}
