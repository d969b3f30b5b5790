import { equalBytes, type DocumentId } from "@heddle/core";

import { compareLibraries } from "./compare-libraries.ts";
import { LibraryFlag } from "./frame-shapes.ts";
import type { FrameOf } from "./frame.ts";
import { libraryNodeBytes } from "./library-node-codec.ts";
import type { LibraryNode } from "./library-node.ts";
import type { LibraryTrie } from "./library-trie.ts";
import { wireLimits } from "./wire-limits.ts";

/** Documents here that a peer lacks, or of which it holds another log. */
export interface FoundDocuments {
  readonly documents: readonly DocumentId[];
  /** Whole places of the library. */
  readonly under: readonly string[];
}

/** What a side says next; everything of a frame but its check. */
export type LibraryWords = Omit<FrameOf<"library">, "name" | "check">;

export interface ComparisonOptions {
  readonly number: number;
  /** What is said at once. */
  readonly wordsBytesMax: number;
  /** Places that wait to be said, documents to be asked for, and places that were found. */
  readonly placesMax: number;
  readonly onFound: (found: FoundDocuments) => void;
}

/** How far a comparison is, or what came of it. */
export type ComparisonState = "going" | "agreed" | "differed";

/** One word of a frame beside its lists: generous. */
const wordsOverheadBytes = 128;

/**
 * One comparison of two libraries, on one of both sides. The sides speak in turns, one frame each, and say
 * in it all that follows from the frame before, as far as it fits:
 *
 *   root ──equal──► agreed
 *     └─not equal─► places that differ, deeper each turn ──nothing left to say on either side──► differed
 *
 * The side that began knows as much at the end as the other one.
 */
export class LibraryComparison {
  readonly number: number;
  readonly #options: ComparisonOptions;
  /** Of the frame that was sent or heard last. */
  #step = -1;
  #state: ComparisonState = "going";
  /** Deepest last: so few wait at a time. */
  readonly #places: string[] = [];
  readonly #wanted: DocumentId[] = [];
  readonly #found = new Set<DocumentId>();
  readonly #foundUnder: string[] = [];
  #differing = 0;
  #missing = 0;
  #dropped = 0;

  constructor(options: ComparisonOptions) {
    this.#options = options;
    this.number = options.number;
  }

  get state(): ComparisonState {
    return this.#state;
  }

  /** Documents here that the peer lacks or has another log of; of whole places all. */
  get differing(): number {
    return this.#differing;
  }

  /** Documents that the peer was asked for. */
  get missing(): number {
    return this.#missing;
  }

  /** Places that did not fit and were dropped: there may be more that differs. */
  get dropped(): number {
    return this.#dropped;
  }

  /** At the end, with nothing dropped: whether both sides have the same of a document that is here. */
  isEqual(ours: LibraryTrie, document: DocumentId): boolean {
    const isFound = this.#found.has(document);
    return !isFound && !this.#foundUnder.some((place) => ours.isUnder(document, place));
  }

  /** Whether a frame is what comes next. */
  follows({ comparison, step }: LibraryWords): boolean {
    return this.#state === "going" && comparison === this.number && step === this.#step + 1;
  }

  /** The first words. */
  begin(ours: LibraryTrie): LibraryWords {
    return this.#words(ours, [], []);
  }

  /** What to say to a frame that {@link follows}; `undefined` when that was the last one. */
  answer(ours: LibraryTrie, theirs: LibraryWords): LibraryWords | undefined {
    this.#step = theirs.step;
    if (theirs.step <= 1 && equalBytes(theirs.root, ours.root)) {
      this.#state = "agreed";
      return theirs.step === 0 ? this.#words(ours, [], []) : undefined;
    }
    if (theirs.step === 0) this.#places.push("");
    for (const node of theirs.nodes) this.#compare(ours, node);
    const documents = theirs.wanted.filter((document) => ours.digestOf(document) !== undefined);
    this.#add({ documents, under: [] }, ours);
    return this.#speak(ours, theirs);
  }

  #speak(ours: LibraryTrie, theirs: LibraryWords): LibraryWords | undefined {
    const mayGoOn = (theirs.flags & LibraryFlag.more) !== 0;
    const isAsked = theirs.step === 0 || theirs.nodes.length > 0 || mayGoOn;
    const hasWords = this.#places.length + this.#wanted.length > 0;
    if (!isAsked && !hasWords) {
      this.#state = "differed";
      return undefined;
    }
    const wanted = this.#wanted.splice(0, this.#wantedMax);
    const words = this.#words(ours, this.#takeNodes(ours), wanted);
    const isOver = words.nodes.length === 0 && words.flags === 0 && !mayGoOn;
    if (isOver) this.#state = "differed";
    return words;
  }

  #compare(ours: LibraryTrie, node: LibraryNode): void {
    const { say, offer, offerUnder, want } = compareLibraries(ours, node);
    const { placesMax } = this.#options;
    const room = Math.max(0, placesMax - this.#places.length);
    this.#dropped += Math.max(0, say.length - room);
    for (const place of say.slice(0, room)) this.#places.push(place);
    this.#missing += want.length;
    const roomForWanted = Math.max(0, placesMax - this.#wanted.length);
    this.#dropped += Math.max(0, want.length - roomForWanted);
    for (const document of want.slice(0, roomForWanted)) this.#wanted.push(document);
    this.#add({ documents: offer, under: offerUnder }, ours);
  }

  #add(found: FoundDocuments, ours: LibraryTrie): void {
    const documents = [...new Set(found.documents)].filter((each) => !this.#found.has(each));
    for (const document of documents) this.#found.add(document);
    const under: string[] = [];
    for (const place of found.under) {
      const count = ours.countUnder(place);
      if (count === 0 || this.#foundUnder.some((known) => place.startsWith(known))) continue;
      if (this.#foundUnder.length >= this.#options.placesMax) {
        this.#dropped++;
        continue;
      }
      this.#foundUnder.push(place);
      this.#differing += count;
      under.push(place);
    }
    this.#differing += documents.length;
    if (documents.length + under.length > 0) this.#options.onFound({ documents, under });
  }

  /** As many places as fit, the deepest ones first. */
  #takeNodes(ours: LibraryTrie): LibraryNode[] {
    const nodes: LibraryNode[] = [];
    let bytes = wordsOverheadBytes;
    while (this.#places.length > 0 && nodes.length < wireLimits.libraryNodesPerFrameMax) {
      const node = ours.nodeAt(this.#places.at(-1)!);
      bytes += libraryNodeBytes(node);
      if (bytes > this.#options.wordsBytesMax / 2 && nodes.length > 0) break;
      this.#places.pop();
      nodes.push(node);
    }
    return nodes;
  }

  get #wantedMax(): number {
    const fitting = Math.floor((this.#options.wordsBytesMax / 2 - wordsOverheadBytes) / 16);
    return Math.min(fitting, wireLimits.libraryWantedPerFrameMax);
  }

  #words(
    ours: LibraryTrie,
    nodes: readonly LibraryNode[],
    wanted: readonly DocumentId[],
  ): LibraryWords {
    const hasMore = this.#places.length + this.#wanted.length > 0;
    return {
      comparison: this.number,
      step: ++this.#step,
      root: ours.root,
      documents: ours.size,
      flags: hasMore ? LibraryFlag.more : 0,
      nodes,
      wanted,
    };
  }
}
