import type { DocumentId } from "@heddle/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import { seededDocument, testHash } from "./environment.fixture.ts";
import { libraryNodes } from "./frames.fixture.ts";
import { encodeFrame } from "./frame.ts";
import { isWhole, libraryFrame } from "./library-check.ts";
import { LibraryComparison, type LibraryWords } from "./library-comparison.ts";
import { LibraryTrie } from "./library-trie.ts";
import { syncLimits } from "./sync-limits.ts";

const salt = new Uint8Array(16).fill(9);
const digests = [1, 2].map((version) => testHash.sha256(Uint8Array.of(version)));

function trieOf(numbers: Iterable<number>): LibraryTrie {
  const trie = new LibraryTrie(testHash, salt);
  for (const number of numbers) trie.set(seededDocument(number), digests[0]!);
  return trie;
}

class Side {
  readonly found = new Set<DocumentId>();
  readonly comparison: LibraryComparison;
  readonly trie: LibraryTrie;

  constructor(trie: LibraryTrie, wordsBytesMax: number = syncLimits.libraryWordsBytesMax) {
    this.trie = trie;
    this.comparison = new LibraryComparison({
      number: 1,
      wordsBytesMax,
      placesMax: syncLimits.libraryPlacesMax,
      stepsMax: syncLimits.libraryStepsMax,
      onFound: ({ documents, under }) => {
        for (const document of documents) this.found.add(document);
        for (const place of under) {
          for (const each of trie.documentsUnder(place, undefined, Infinity)) this.found.add(each);
        }
      },
    });
  }
}

/** Lets two sides speak to the end. */
function compare(a: Side, b: Side) {
  const sides = [a, b] as const;
  let words: LibraryWords | undefined = a.comparison.begin(a.trie);
  let frames = 0;
  let bytes = 0;
  let longest = 0;
  while (words) {
    const length = encodeFrame(libraryFrame(testHash, words)).length;
    bytes += length;
    longest = Math.max(longest, length);
    const { comparison, trie } = sides[++frames % 2]!;
    if (frames > 1) expect(comparison.follows(words)).toBe(true);
    words = comparison.answer(trie, words);
    if (frames > 10_000) throw new Error("the comparison does not end");
  }
  return { frames, bytes, longest };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe("[LIB-2] a comparison of large libraries", () => {
  // One of 100,000 documents, which both sides look at.
  const library = trieOf(range(0, 100_000));

  test("that are equal takes one frame each way", () => {
    const [a, b] = [new Side(library), new Side(library)];
    const { frames, bytes } = compare(a, b);
    expect([frames, a.comparison.state, b.comparison.state]).toEqual([2, "agreed", "agreed"]);
    expect(bytes).toBeLessThan(100);
    expect(a.found.size + b.found.size).toBe(0);
  });

  test("with an empty one takes one round trip, and names no document", () => {
    const [a, b] = [new Side(library), new Side(trieOf([]))];
    const { frames, bytes } = compare(a, b);
    expect(frames).toBeLessThanOrEqual(3);
    expect(bytes).toBeLessThan(600);
    expect(a.found.size).toBe(100_000);
    expect(b.found.size).toBe(0);
  });

  test("in which 10 documents differ takes 16 KB and 4 round trips at most", () => {
    const changed = library.filtered(() => true);
    const differing = range(0, 10).map((index) => seededDocument(index * 9_973));
    for (const [index, document] of differing.entries()) {
      if (index === 0) changed.delete(document);
      else changed.set(document, digests[1]!);
    }
    changed.set(seededDocument(200_000), digests[0]!);
    const [a, b] = [new Side(library), new Side(changed)];
    const { frames, bytes } = compare(a, b);
    expect(bytes).toBeLessThanOrEqual(16_384);
    expect(frames).toBeLessThanOrEqual(8);
    expect(a.found).toEqual(new Set(differing));
    expect(b.found).toEqual(new Set([...differing.slice(1), seededDocument(200_000)]));
    expect(a.comparison.isEqual(a.trie, seededDocument(1))).toBe(true);
    expect(differing.some((document) => a.comparison.isEqual(a.trie, document))).toBe(false);
  });
});

test("[LIB-2] what does not fit into one frame goes in several, and all of it is found", () => {
  const [a, b] = [trieOf(range(0, 3_000)), trieOf(range(1_500, 4_500))];
  const sides = [new Side(a, 4_096), new Side(b, 4_096)] as const;
  const { frames, longest } = compare(...sides);
  expect(frames).toBeGreaterThan(20);
  expect(longest).toBeLessThan(4_096);
  expect(sides[0].comparison.dropped + sides[1].comparison.dropped).toBe(0);
  for (const [side, from] of [
    [sides[0], 0],
    [sides[1], 3_000],
  ] as const) {
    const missed = range(from, from + 1_500).filter((i) => !side.found.has(seededDocument(i)));
    expect(missed).toEqual([]);
    expect(side.found.size).toBeLessThan(1_800);
  }
});

test("[LIB-4] a frame is answered once, in its turn, and only whole", () => {
  const [a, b] = [new Side(trieOf(range(0, 90))), new Side(trieOf(range(0, 80)))];
  const first = a.comparison.begin(a.trie);
  const second = b.comparison.answer(b.trie, first)!;
  expect(a.comparison.follows(second)).toBe(true);
  expect(a.comparison.follows({ ...second, comparison: 2 })).toBe(false);
  const third = a.comparison.answer(a.trie, second)!;
  expect(a.comparison.follows(second)).toBe(false);
  expect(b.comparison.follows(third)).toBe(true);
  const frame = libraryFrame(testHash, third);
  expect(isWhole(testHash, frame)).toBe(true);
  expect(isWhole(testHash, { ...frame, documents: 7 })).toBe(false);
  expect(isWhole(testHash, { ...frame, check: undefined })).toBe(false);
});

test("[LIB-4] a peer that always has more to say is heard so many times, and one that says nothing not again", () => {
  const trie = trieOf(range(0, 400));
  const comparison = new LibraryComparison({
    number: 1,
    wordsBytesMax: 8_192,
    placesMax: 50,
    stepsMax: 100,
    onFound: () => {},
  });
  let words: LibraryWords | undefined = comparison.begin(trie);
  const nothing = { comparison: 1, root: salt, documents: 9, flags: 1, nodes: [], wanted: [] };
  while (words && comparison.state === "going") {
    const step = words.step + 1;
    expect(comparison.follows({ ...nothing, step })).toBe(step <= 1);
    const heard = { ...nothing, step, nodes: [{ kind: "leaf", prefix: "", entries: [] } as const] };
    expect(comparison.follows(heard)).toBe(true);
    words = comparison.answer(trie, heard);
    if (step > 200) throw new Error("the comparison does not end");
  }
  expect(comparison.state).toBe("differed");
  // There may be more that differs: what was not found is not taken for equal.
  expect(comparison.dropped).toBeGreaterThan(0);
  const [a, b] = [new Side(trie, 4_096), new Side(trieOf(range(300, 700)), 4_096)];
  compare(a, b);
  expect(a.comparison.dropped + b.comparison.dropped).toBe(0);
});

const nothingIn = (prefix: string) => ({ kind: "leaf", prefix, entries: [] }) as const;

test("[LIB-4] what differs in places within places counts once, however they come", () => {
  const trie = trieOf(range(0, 3_000));
  const document = trie.documentsUnder("a1", undefined, 1)[0]!;
  for (const prefixes of [
    ["a", "a1", "b"],
    ["a1", "b", "a"],
    ["b", "a1", "a", "a1"],
  ]) {
    const { comparison } = new Side(trie);
    comparison.begin(trie);
    const words = { comparison: 1, step: 1, root: salt, documents: 9, flags: 0 };
    const nodes = prefixes.map(nothingIn);
    comparison.answer(trie, { ...words, nodes, wanted: [document] });
    expect(comparison.countDiffering(trie)).toBe(trie.countUnder("a") + trie.countUnder("b"));
    const unequal = [...trie.documentsUnder("", undefined, 3_000)].filter((each) => {
      return !comparison.isEqual(trie, each);
    });
    expect(unequal).toHaveLength(comparison.countDiffering(trie));
  }
});

test("[LIB-4] whatever a peer says, what it makes a comparison keep and say is bounded", () => {
  const trie = trieOf(range(0, 400));
  const lie = fc.record({
    nodes: fc.array(libraryNodes, { maxLength: 8 }),
    wanted: fc.array(fc.nat({ max: 800 }).map(seededDocument), { maxLength: 8 }),
    flags: fc.nat({ max: 1 }),
  });
  fc.assert(
    fc.property(fc.array(lie, { minLength: 1, maxLength: 30 }), (lies) => {
      const found: DocumentId[] = [];
      const comparison = new LibraryComparison({
        number: 1,
        wordsBytesMax: 8_192,
        placesMax: 50,
        stepsMax: 1_000,
        onFound: ({ documents }) => found.push(...documents),
      });
      let words: LibraryWords | undefined = comparison.begin(trie);
      for (const { nodes, wanted, flags } of lies) {
        const heard: LibraryWords = {
          comparison: 1,
          step: words.step + 1,
          root: salt,
          documents: 9,
          flags,
          nodes,
          wanted,
        };
        if (!comparison.follows(heard)) break;
        words = comparison.answer(trie, heard);
        if (!words) break;
        expect(encodeFrame(libraryFrame(testHash, words)).length).toBeLessThan(8_192);
        expect(words.nodes.length + words.wanted.length).toBeLessThanOrEqual(100);
      }
      expect(found.length).toBe(new Set(found).size);
      expect(found.every((document) => trie.digestOf(document))).toBe(true);
    }),
    { numRuns: 60 },
  );
});
