import { equalBytes, type DocumentId } from "@heddle/core";

import { compareLibraries } from "./compare-libraries.ts";
import { LibraryFlag } from "./frame-shapes.ts";
import type { FrameOf } from "./frame.ts";
import { libraryNodeBytes } from "./library-node-codec.ts";
import type { LibraryNode } from "./library-node.ts";
import { isWithin } from "./library-places.ts";
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
  /** Frames of both sides after the first: with the last one it ends, whatever is left. */
  readonly stepsMax: number;
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
  readonly #foundUnder = new Set<string>();
  #missing = 0;
  #dropped = 0;

  constructor(options: ComparisonOptions) {
    this.#options = options;
    this.number = options.number;
  }

  get state(): ComparisonState {
    return this.#state;
  }

  /** Documents here that the peer lacks or has another log of; of whole places all. Each counts once. */
  countDiffering(ours: LibraryTrie): number {
    const under = this.#foundUnder;
    let count = 0;
    for (const place of under) {
      const isBelowAnother = place !== "" && isWithin(under, place.slice(0, -1));
      if (!isBelowAnother) count += ours.countUnder(place);
    }
    if (under.size === 0) return this.#found.size;
    for (const document of this.#found) {
      if (!isWithin(under, ours.placementOf(document))) count++;
    }
    return count;
  }

  /** Documents that the peer was asked for. */
  get missing(): number {
    return this.#missing;
  }

  /** Places that did not fit and were dropped: there may be more that differs. */
  get dropped(): number {
    return this.#dropped;
  }

  /** At the end, with nothing dropped: whether a document was compared, and both sides have the same of it. */
  isEqual(ours: LibraryTrie, document: DocumentId): boolean {
    if (this.#found.has(document) || !ours.digestOf(document)) return false;
    return this.#foundUnder.size === 0 || !isWithin(this.#foundUnder, ours.placementOf(document));
  }

  /** Whether a frame is what comes next. */
  follows({ comparison, step, flags, nodes, wanted }: LibraryWords): boolean {
    // Whoever has more to say says some of it: otherwise two could go on for ever about nothing.
    const isEmpty = step > 1 && flags !== 0 && nodes.length + wanted.length === 0;
    const isNext = comparison === this.number && step === this.#step + 1;
    return this.#state === "going" && isNext && !isEmpty;
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
    if (theirs.step >= this.#options.stepsMax) return this.#cutOff();
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
    else if (words.step >= this.#options.stepsMax) this.#cutOff();
    return words;
  }

  /** What is left, here or there, is for the next comparison, among less. */
  #cutOff(): undefined {
    this.#dropped += Math.max(1, this.#places.length + this.#wanted.length);
    this.#state = "differed";
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
      if (isWithin(this.#foundUnder, place) || ours.countUnder(place) === 0) continue;
      if (this.#foundUnder.size >= this.#options.placesMax) {
        this.#dropped++;
        continue;
      }
      this.#foundUnder.add(place);
      under.push(place);
    }
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
