import type { DocumentId } from "@heddle/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { compareLibraries } from "./compare-libraries.ts";
import { seededDocument, testHash } from "./environment.fixture.ts";
import { libraryNodes } from "./frames.fixture.ts";
import { libraryShape, noLibraryHash } from "./library-node.ts";
import { LibraryTrie } from "./library-trie.ts";

const salt = new Uint8Array(16).fill(9);

function trieOf(library: ReadonlyMap<DocumentId, Uint8Array>): LibraryTrie {
  const trie = new LibraryTrie(testHash, salt);
  for (const [document, digest] of library) trie.set(document, digest);
  return trie;
}

const digests = [0, 1, 2, 3].map((version) => testHash.sha256(Uint8Array.of(version)));
const digestOf = (version: number) => digests[version]!;
const firstOf = (digest: Uint8Array) => digest.subarray(0, libraryShape.hashBytes);

/** `set` with a version, or `delete`, of one of so many documents that branches come and go. */
const step = fc.record({ document: fc.nat({ max: 150 }), version: fc.nat({ max: 3 }) });
const steps = fc.array(step, { maxLength: 400, size: "max" });

/** What the steps leave, and a trie that went through all of them. Version 0 deletes. */
function played(drawn: readonly { document: number; version: number }[]) {
  const library = new Map<DocumentId, Uint8Array>();
  const trie = new LibraryTrie(testHash, salt);
  for (const { document, version } of drawn) {
    const id = seededDocument(document);
    if (version === 0) {
      library.delete(id);
      trie.delete(id);
    } else {
      library.set(id, digestOf(version));
      trie.set(id, digestOf(version));
    }
  }
  return { library, trie };
}

describe("[LIB-1] a library's root", () => {
  test("is a function of what is in it, however it came to that", () => {
    fc.assert(
      fc.property(steps, fc.boolean(), (drawn, isReversed) => {
        const { library, trie } = played(drawn);
        const entries = [...library];
        const again = trieOf(new Map(isReversed ? entries.toReversed() : entries));
        expect(trie.root).toEqual(again.root);
        expect(trie.size).toBe(library.size);
        expect(shapeOf(trie)).toEqual(shapeOf(again));
        const kept = [...library.keys()].map((document) => trie.digestOf(document));
        expect(kept.map(String)).toEqual(
          [...library.values()].map((each) => String(firstOf(each))),
        );
      }),
      { numRuns: 30 },
    );
  });

  test("differs where anything in it does", () => {
    const library = new Map(
      Array.from({ length: 60 }, (_, index) => [seededDocument(index), digestOf(1)]),
    );
    const roots = new Set([String(trieOf(library).root)]);
    for (const document of library.keys()) {
      const without = new Map(library);
      without.delete(document);
      roots.add(String(trieOf(without).root));
      roots.add(String(trieOf(without.set(document, digestOf(2))).root));
    }
    expect(roots.size).toBe(121);
    expect(new LibraryTrie(testHash, salt).root).toEqual(noLibraryHash);
  });

  test("of a part of it is that of a library which has no more, whatever becomes of either", () => {
    fc.assert(
      fc.property(steps, fc.nat({ max: 150 }), steps, (drawn, kept, after) => {
        const { library, trie } = played(drawn);
        const isIn = (document: DocumentId) => document.charCodeAt(3) <= kept;
        const part = new Map([...library].filter(([document]) => isIn(document)));
        const filtered = trie.filtered(isIn);
        expect(shapeOf(filtered)).toEqual(shapeOf(trieOf(part)));
        expect(filtered.root).toEqual(trieOf(part).root);
        for (const { document, version } of after) {
          const id = seededDocument(document);
          if (version === 0) filtered.delete(id);
          else filtered.set(id, digestOf(version));
        }
        expect(shapeOf(trie)).toEqual(shapeOf(trieOf(library)));
        const held = [...library.keys()].map((document) => String(trie.digestOf(document)));
        expect(held).toEqual([...library.values()].map((each) => String(firstOf(each))));
      }),
      { numRuns: 15 },
    );
  });

  test("is not that of another space", () => {
    const library = new Map(Array.from({ length: 40 }, (_, i) => [seededDocument(i), digestOf(1)]));
    const other = new LibraryTrie(testHash, new Uint8Array(16).fill(8));
    for (const [document, digest] of library) other.set(document, digest);
    expect(other.root).not.toEqual(trieOf(library).root);
  });
});

test("[LIB-1] every place holds few documents, or the hashes of the places below", () => {
  const trie = trieOf(
    new Map(Array.from({ length: 700 }, (_, index) => [seededDocument(index), digestOf(1)])),
  );
  for (const { node, count } of nodesOf(trie)) {
    expect(node.kind).toBe(count > libraryShape.leafDocumentsMax ? "branch" : "leaf");
    if (node.kind === "leaf") expect(node.entries).toHaveLength(count);
  }
});

test("documents of a place come in one order, some at a time", () => {
  const trie = trieOf(
    new Map(Array.from({ length: 500 }, (_, index) => [seededDocument(index), digestOf(1)])),
  );
  for (const prefix of ["", "a", "3c"]) {
    const all = trie.documentsUnder(prefix, undefined, 1_000);
    expect(new Set(all).size).toBe(trie.countUnder(prefix));
    for (const max of [1, 7, 64]) {
      const taken: DocumentId[] = [];
      for (;;) {
        const more = trie.documentsUnder(prefix, taken.at(-1), max);
        if (more.length === 0) break;
        expect(more.length).toBeLessThanOrEqual(max);
        taken.push(...more);
      }
      expect(taken).toEqual(all);
    }
  }
});

/** Plays a comparison to its end between two tries, as sessions do; what each side is to offer. */
function compare(a: LibraryTrie, b: LibraryTrie) {
  const sides = [a, b] as const;
  const offers = [new Set<DocumentId>(), new Set<DocumentId>()] as const;
  let turn = 0;
  let turns = 0;
  let said = [a.nodeAt("")];
  while (said.length > 0) {
    turn = 1 - turn;
    const [ours, offered, offeredThere] = [sides[turn]!, offers[turn]!, offers[1 - turn]!];
    const places: string[] = [];
    for (const node of said) {
      const { say, offer, offerUnder, want } = compareLibraries(ours, node);
      for (const document of offer) offered.add(document);
      for (const place of offerUnder) {
        for (const each of ours.documentsUnder(place, undefined, Infinity)) offered.add(each);
      }
      for (const document of want) offeredThere.add(document);
      places.push(...say);
    }
    said = places.map((place) => ours.nodeAt(place));
    if (++turns > 40) throw new Error("the comparison does not end");
  }
  return { offers, turns };
}

describe("[LIB-2] a comparison", () => {
  test("finds all that differs, and of what is equal nothing but what lies beside it", () => {
    fc.assert(
      fc.property(steps, steps, (ofA, ofB) => {
        const [a, b] = [played(ofA), played([...ofA, ...ofB])];
        const { offers } = compare(a.trie, b.trie);
        const all = new Set([...a.library.keys(), ...b.library.keys()]);
        const isMissed = (document: DocumentId): boolean => {
          const [here, there] = [a.library.get(document), b.library.get(document)];
          const [fromHere, fromThere] = offers.map((offered) => offered.has(document));
          if (here && there) return here !== there && !(fromHere && fromThere);
          return here ? !fromHere || fromThere! : fromHere! || !fromThere;
        };
        expect([...all].filter(isMissed)).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  test("names nothing else where few differ", () => {
    const library = new Map(
      Array.from({ length: 3_000 }, (_, index) => [seededDocument(index), digestOf(1)]),
    );
    const [a, b] = [trieOf(library), trieOf(library)];
    a.set(seededDocument(5), digestOf(2));
    a.delete(seededDocument(6));
    b.delete(seededDocument(7));
    const { offers } = compare(a, b);
    expect(offers).toEqual([
      new Set([5, 7].map(seededDocument)),
      new Set([5, 6].map(seededDocument)),
    ]);
    expect(compare(a, a).turns).toBeLessThanOrEqual(1);
  });

  test("ends whatever is said: no answer goes back up", () => {
    const ours = trieOf(
      new Map(Array.from({ length: 600 }, (_, index) => [seededDocument(index), digestOf(1)])),
    );
    fc.assert(
      fc.property(libraryNodes, (theirs) => {
        const { say, offer, offerUnder, want } = compareLibraries(ours, theirs);
        expect(say.length + offerUnder.length).toBeLessThanOrEqual(16);
        expect(offer.length).toBeLessThanOrEqual(libraryShape.leafDocumentsMax);
        expect(want.length).toBeLessThanOrEqual(libraryShape.leafDocumentsMax);
        for (const place of say) {
          const isEnd = place === theirs.prefix && ours.nodeAt(place).kind === "leaf";
          expect(isEnd || place.length === theirs.prefix.length + 1).toBe(true);
          expect(theirs.kind).toBe("branch");
        }
      }),
      { numRuns: 200 },
    );
  });
});

interface SeenNode {
  readonly node: ReturnType<LibraryTrie["nodeAt"]>;
  readonly count: number;
}

/** Every node there is, from the root down. */
function nodesOf(trie: LibraryTrie, prefix = ""): SeenNode[] {
  const node = trie.nodeAt(prefix);
  const here = { node, count: trie.countUnder(prefix) };
  if (node.kind === "leaf") return [here];
  return [here, ...[..."0123456789abcdef"].flatMap((digit) => nodesOf(trie, prefix + digit))];
}

function shapeOf(trie: LibraryTrie): string[] {
  return nodesOf(trie).map(({ node, count }) => {
    const ids = node.kind === "leaf" ? node.entries.map(({ document }) => document) : [];
    return `${node.prefix} ${node.kind} ${count} ${ids.join()}`;
  });
}
