import { assert, concatBytes, equalBytes, toHex, type DocumentId, type Hash } from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

import { libraryShape, noLibraryHash, type LibraryHash, type LibraryNode } from "./library-node.ts";
import { digitAt, libraryKey, LibraryRecords, noRecords } from "./library-records.ts";

const { fanOut, leafDocumentsMax, hashBytes, prefixLengthMax } = libraryShape;
const leafDomain = encodeUtf8("heddle/library/leaf/1");
const branchDomain = encodeUtf8("heddle/library/branch/1");

interface Leaf {
  readonly kind: "leaf";
  readonly count: number;
  readonly records: LibraryRecords;
  hash: LibraryHash | undefined;
}

interface Branch {
  readonly kind: "branch";
  count: number;
  readonly children: (Leaf | Branch | undefined)[];
  hash: LibraryHash | undefined;
}

type Node = Leaf | Branch;

/**
 * Which documents a replica has, and the digest L of each, as a prefix Merkle trie: two of these have the
 * same root exactly when they hold the same, and from the root down differences are found without looking
 * at what is equal.
 *
 * The shape is a function of the set: a document's place is a hash of its id, a place with more than 32
 * documents is a branch, one with fewer a leaf. Hashes are of all that lies below, and nothing can be
 * added to one without knowing it, as it could with sums.
 */
export class LibraryTrie {
  readonly #hash: Hash;
  readonly #salt: Uint8Array;
  #root: Node | undefined;

  /** @param salt of the space: the same for all who compare. */
  constructor(hash: Hash, salt: Uint8Array) {
    this.#hash = hash;
    this.#salt = salt;
  }

  get size(): number {
    return this.#root?.count ?? 0;
  }

  /** 16 zero bytes when nothing is there. */
  get root(): LibraryHash {
    return this.#root ? this.#hashOf(this.#root) : noLibraryHash;
  }

  digestOf(document: DocumentId): Uint8Array | undefined {
    return this.#digestAt(this.#keyOf(document))?.slice();
  }

  /** @param digest L; the first 16 bytes count. */
  set(document: DocumentId, digest: Uint8Array): void {
    assert(digest.length >= hashBytes, "a digest is at least as long as what is kept of it");
    const key = this.#keyOf(document);
    const kept = digest.subarray(0, hashBytes);
    const known = this.#digestAt(key);
    if (known !== undefined && equalBytes(known, kept)) return;
    this.#root = this.#put(this.#root, { key, digest: kept, isNew: known === undefined }, 0);
  }

  delete(document: DocumentId): void {
    const key = this.#keyOf(document);
    if (this.#root && this.#digestAt(key)) this.#root = this.#remove(this.#root, key, 0);
  }

  /** Whether a place holds more than a leaf does. */
  isBranch(prefix: string): boolean {
    return this.#reach(prefix)?.kind === "branch";
  }

  /** What is in a place; a leaf without documents where nothing is. */
  nodeAt(prefix: string): LibraryNode {
    const node = this.#reach(prefix);
    if (node?.kind === "branch") {
      const children = node.children.map((child) => child && this.#hashOf(child));
      return { kind: "branch", prefix, children };
    }
    const { records } = node ?? { records: noRecords };
    const entries = Array.from({ length: records.count }, (_, index) => records.entryAt(index));
    return { kind: "leaf", prefix, entries };
  }

  /** The deepest place of a document, be it there or not: every one that it is in is a beginning of it. */
  placementOf(document: DocumentId): string {
    return toHex(this.#keyOf(document)).slice(0, prefixLengthMax);
  }

  countUnder(prefix: string): number {
    return this.#reach(prefix)?.count ?? 0;
  }

  /** Documents of a place in the order of their placements, after `last` if it is given; at most `max`. */
  documentsUnder(prefix: string, last: DocumentId | undefined, max: number): DocumentId[] {
    const found: DocumentId[] = [];
    const node = this.#reach(prefix);
    const after = last && this.#keyOf(last);
    if (node) collect(node, { after, max, found }, prefix.length);
    return found;
  }

  /**
   * What of it `isIn` says, as it is now: changes of one do not reach the other. Takes memory for branches, and
   * for leaves that lost something.
   */
  filtered(isIn: (document: DocumentId) => boolean): LibraryTrie {
    const trie = new LibraryTrie(this.#hash, this.#salt);
    trie.#root = this.#root && filteredNode(this.#root, isIn);
    return trie;
  }

  #keyOf(document: DocumentId): Uint8Array {
    return libraryKey(this.#hash, this.#salt, document);
  }

  /** The node of a place. Where a leaf reaches further than the place, its documents in it. */
  #reach(prefix: string): Node | undefined {
    let node = this.#root;
    for (const digit of prefix) {
      if (node === undefined) return undefined;
      if (node.kind === "leaf") return leafOf(node.records.under(prefix));
      node = node.children[parseInt(digit, 16)];
    }
    return node;
  }

  #digestAt(key: Uint8Array): Uint8Array | undefined {
    let node = this.#root;
    for (let depth = 0; node?.kind === "branch"; depth++) {
      node = node.children[digitAt(key, depth)];
    }
    if (node === undefined) return undefined;
    const { index, isThere } = node.records.find(key);
    return isThere ? node.records.digestAt(index) : undefined;
  }

  #put(node: Node | undefined, put: Put, depth: number): Node {
    if (node?.kind === "branch") {
      const digit = digitAt(put.key, depth);
      node.children[digit] = this.#put(node.children[digit], put, depth + 1);
      if (put.isNew) node.count++;
      node.hash = undefined;
      return node;
    }
    const records = (node?.records ?? noRecords).with(put.key, put.digest);
    return nodeOf(records, depth)!;
  }

  #remove(node: Node, key: Uint8Array, depth: number): Node | undefined {
    if (node.kind === "leaf") return leafOf(node.records.without(key));
    const digit = digitAt(key, depth);
    node.children[digit] = this.#remove(node.children[digit]!, key, depth + 1);
    node.count--;
    node.hash = undefined;
    if (node.count > leafDocumentsMax) return node;
    return leafOf(recordsOf(node));
  }

  #hashOf(node: Node): LibraryHash {
    node.hash ??= this.#hash.sha256(hashedOf(node, (child) => this.#hashOf(child))).slice(0, 16);
    return node.hash;
  }
}

interface Put {
  readonly key: Uint8Array;
  readonly digest: Uint8Array;
  readonly isNew: boolean;
}

function leafOf(records: LibraryRecords): Leaf | undefined {
  const { count } = records;
  return count === 0 ? undefined : { kind: "leaf", count, records, hash: undefined };
}

/** The node that these documents are at this depth. */
function nodeOf(records: LibraryRecords, depth: number): Node | undefined {
  if (records.count <= leafDocumentsMax || depth >= prefixLengthMax) return leafOf(records);
  const children = Array.from({ length: fanOut }, (_, digit) => {
    return nodeOf(records.withDigit(depth, digit), depth + 1);
  });
  return { kind: "branch", count: records.count, children, hash: undefined };
}

function filteredNode(node: Node, isIn: (document: DocumentId) => boolean): Node | undefined {
  if (node.kind === "leaf") {
    const records = node.records.filter((index) => isIn(node.records.documentAt(index)));
    return records.count === node.count ? node : leafOf(records);
  }
  const children = node.children.map((child) => child && filteredNode(child, isIn));
  const count = children.reduce((sum, child) => sum + (child?.count ?? 0), 0);
  const hash = count === node.count ? node.hash : undefined;
  const branch: Branch = { kind: "branch", count, children, hash };
  return count > leafDocumentsMax ? branch : leafOf(recordsOf(branch));
}

function recordsOf(node: Node | undefined): LibraryRecords {
  if (node === undefined) return noRecords;
  if (node.kind === "leaf") return node.records;
  return LibraryRecords.join(node.children.map(recordsOf));
}

function hashedOf(node: Node, hashOf: (child: Node) => LibraryHash): Uint8Array {
  if (node.kind === "branch") {
    const hashes = node.children.map((child) => (child ? hashOf(child) : noLibraryHash));
    return concatBytes([branchDomain, ...hashes]);
  }
  const { records, count } = node;
  const parts = Array.from({ length: count }, (_, index) => records.hashedAt(index));
  return concatBytes([leafDomain, ...parts]);
}

interface Collecting {
  readonly after: Uint8Array | undefined;
  readonly max: number;
  readonly found: DocumentId[];
}

function collect(node: Node, collecting: Collecting, depth: number): void {
  const { after, max, found } = collecting;
  if (node.kind === "leaf") {
    const place = after && node.records.find(after);
    const start = place ? place.index + (place.isThere ? 1 : 0) : 0;
    for (let index = start; index < node.count && found.length < max; index++) {
      found.push(node.records.documentAt(index));
    }
    return;
  }
  const first = after ? digitAt(after, depth) : 0;
  for (let digit = first; digit < fanOut && found.length < max; digit++) {
    const child = node.children[digit];
    const isOnPath = after !== undefined && digit === first;
    if (child)
      collect(child, isOnPath ? collecting : { ...collecting, after: undefined }, depth + 1);
  }
}
