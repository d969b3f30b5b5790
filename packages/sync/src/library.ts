import type { DocumentId } from "@heddle/core";

import type { LibraryTrie } from "./library-trie.ts";
import type { SyncContext } from "./sync-context.ts";

/** Digests that are asked for at once. */
const digestsAtOnce = 1_024;

/** Calls back with the trie as of now, or with nothing when the store cannot be read. */
type Reader = (trie: LibraryTrie | undefined) => void;

/**
 * What this replica has, for comparing: made from the store when it is first asked for, and from then on
 * kept. A document that changes is only noted; its digest is looked at when somebody compares, or at the
 * end of its stay in memory, where it is at hand.
 *
 *   none ──first asked for──► being read ──► kept ──documents change──► kept, with some to look at again
 */
export class Library {
  readonly #context: SyncContext;
  /** Digest L of what is on disk of a document, where that is in memory. */
  readonly #atHand: (document: DocumentId) => Uint8Array | undefined;
  readonly #changed = new Set<DocumentId>();
  #trie: LibraryTrie | undefined;
  #readers: Reader[] = [];
  #isReading = false;

  constructor(context: SyncContext, atHand: (document: DocumentId) => Uint8Array | undefined) {
    this.#context = context;
    this.#atHand = atHand;
  }

  /** As far as it was looked at; `undefined` while nobody has compared. */
  get trie(): LibraryTrie | undefined {
    return this.#trie;
  }

  /** Something of a document is on disk that was not. */
  changed(document: DocumentId): void {
    if (this.#trie !== undefined || this.#isReading) this.#changed.add(document);
  }

  /** A document leaves memory, all of it on disk. */
  leaving(document: DocumentId): void {
    if (!this.#changed.has(document)) return;
    const digest = this.#trie && this.#atHand(document);
    if (digest === undefined) return;
    this.#trie!.set(document, digest);
    this.#changed.delete(document);
  }

  /** Calls `reader` with all that is on disk now. */
  read(reader: Reader): void {
    this.#readers.push(reader);
    if (this.#isReading) return;
    this.#isReading = true;
    if (this.#trie) return this.#lookAtChanged();
    this.#context.request("library", {}, (answer) => {
      if (answer === "unreadable") return this.#done(undefined);
      this.#trie = answer.library;
      for (const document of answer.unsure) this.#changed.add(document);
      this.#lookAtChanged();
    });
  }

  #lookAtChanged(): void {
    const trie = this.#trie!;
    const asked: DocumentId[] = [];
    for (const document of this.#changed) {
      const digest = this.#atHand(document);
      if (digest) {
        trie.set(document, digest);
        this.#changed.delete(document);
      } else if (asked.push(document) >= digestsAtOnce) break;
    }
    if (asked.length === 0) return this.#done(trie);
    // What changes from here on is looked at again.
    for (const document of asked) this.#changed.delete(document);
    this.#context.request("digests", { documents: asked }, (digests) => {
      for (const [index, document] of asked.entries()) {
        const digest = digests[index];
        if (digest === "unreadable") this.#changed.add(document);
        else if (digest === undefined) trie.delete(document);
        else trie.set(document, digest);
      }
      // One that cannot be read stays as it was, and others do not wait for it.
      if (digests.includes("unreadable")) return this.#done(trie);
      this.#lookAtChanged();
    });
  }

  #done(trie: LibraryTrie | undefined): void {
    this.#isReading = false;
    for (const reader of this.#readers.splice(0)) reader(trie);
  }
}
