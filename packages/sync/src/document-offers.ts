import type { DocumentEntry, DocumentId } from "@heddle/core";

import { isWithin } from "./library-places.ts";
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
  /** By prefix, in the order of adding. */
  readonly #places = new Map<string, Place>();
  /** Of all places. */
  #left = 0;
  readonly #library: () => LibraryTrie | undefined;
  readonly #isMeant: (document: OfferedDocument) => boolean;

  /** `library` is there when places are added. `isMeant`: whether a document is for that peer. */
  constructor(
    library: () => LibraryTrie | undefined,
    isMeant: (document: OfferedDocument) => boolean,
  ) {
    this.#library = library;
    this.#isMeant = isMeant;
  }

  /** How many there are; of places about as many as there were when they were added. */
  get count(): number {
    return this.#named.size + this.#left;
  }

  add(document: OfferedDocument): void {
    if (!this.#isMeant(document)) return;
    const known = this.#named.get(document.id);
    if (known === undefined || "name" in document) this.#named.set(document.id, document);
  }

  /** @param left documents of the place that are for the peer, about. */
  addUnder(prefix: string, left: number): void {
    // A place that is gone through goes on; begun anew, it would begin with what was offered.
    if (left === 0 || isWithin(this.#places, prefix)) return;
    if (this.#places.size < placesMax) {
      this.#places.set(prefix, { prefix, last: undefined, left });
      this.#left += left;
      return;
    }
    // So many that the whole library is no more.
    this.#places.clear();
    const all = this.#left + left;
    this.#left = 0;
    this.addUnder("", all);
  }

  /** The next one, which is not offered any more then. */
  take(): OfferedDocument | undefined {
    for (const place of this.#places.values()) {
      if (this.#named.size > 0) break;
      this.#fill(place);
    }
    const [next] = this.#named.values();
    if (next) this.#named.delete(next.id);
    return next;
  }

  /** Names the next documents of the place; when there are no more, it is done with. */
  #fill(place: Place): void {
    const { prefix, last } = place;
    const ids = this.#library()?.documentsUnder(prefix, last, documentsAtOnce) ?? [];
    const before = this.#named.size;
    for (const id of ids) this.add({ id });
    place.last = ids.at(-1);
    const isOver = ids.length < documentsAtOnce;
    const left = isOver ? 0 : Math.max(0, place.left - (this.#named.size - before));
    this.#left += left - place.left;
    place.left = left;
    if (isOver) this.#places.delete(prefix);
  }
}
