import { HeddleErrorCode, toHex } from "@heddle/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { bulkBytesMin } from "./client-fold.ts";
import { parseUpdate } from "./parse-update.ts";
import { contentOf, deliver, delivery, hash, play, steps, runs } from "./sessions.fixture.ts";
import { encodeStateVector } from "./state-vector.ts";
import { UpdateFold } from "./update-fold.ts";
import { YjsDocument } from "./yjs-engine.ts";

function foldOf(updates: readonly Uint8Array[]): UpdateFold {
  const fold = new UpdateFold();
  for (const update of updates) fold.append(parseUpdate(update));
  return fold;
}

function load(...updates: Uint8Array[]): YjsDocument {
  const document = new YjsDocument(true);
  document.applyAll(updates);
  return document;
}

test("[DOC-5] appends in any order, repeated and overlapping, add up to the same document", () => {
  fc.assert(
    fc.property(steps, delivery, fc.boolean(), (script, order, stock) => {
      const session = play(script, { stock });
      const direct = load(...session.updates);
      const folded = load(foldOf(deliver(session, order)).encodeSince());
      expect(toHex(folded.digestS(hash))).toBe(toHex(direct.digestS(hash)));
      expect(contentOf(folded.ydoc)).toEqual(contentOf(direct.ydoc));
    }),
    runs(100),
  );
});

test("[DOC-5] a client anywhere inside joined text gets exactly its rest", () => {
  const doc = new Y.Doc();
  doc.clientID = 7;
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  const text = doc.getText("t");
  for (const word of ["日", "本語 ", "x".repeat(130), "é", "y".repeat(40_000), "end"]) {
    for (let at = 0; at < word.length; at += 500)
      text.insert(text.length, word.slice(at, at + 500));
  }
  const fold = foldOf(updates);
  // 86 texts have become a few: one per 16 KiB.
  expect(parseUpdate(fold.encodeSince()).runs[0]!.structCount).toBeLessThan(5);
  const clock = Y.getState(doc.store, 7);
  for (const at of [0, 1, 3, 4, 5, 100, 134, 135, 136, 17_000, 40_000, clock - 1, clock]) {
    const rest = parseUpdate(fold.encodeSince(encodeStateVector([[7, at]])));
    if (at === clock) expect(rest.runs).toEqual([]);
    else expect(rest.runs[0]).toMatchObject({ clock: at, endClock: clock });
    const client = new Y.Doc();
    const head = updates.find((_, index) => clockAfter(updates, index) >= at);
    for (const update of updates.slice(0, updates.indexOf(head!) + 1))
      Y.applyUpdate(client, update);
    Y.applyUpdate(client, rest.bytes);
    expect(client.getText("t").toJSON()).toBe(text.toJSON());
  }
});

function clockAfter(updates: readonly Uint8Array[], index: number): number {
  return parseUpdate(updates[index]!).runs[0]!.endClock;
}

test("[DOC-5] what is behind a gap is kept and shown as a hole until the gap is filled", () => {
  const doc = new Y.Doc();
  doc.clientID = 7;
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  for (const word of ["one", "two", "three", "four"]) doc.getArray("a").push([word]);
  const fold = foldOf([updates[3]!, updates[0]!, updates[2]!]);
  expect(fold.encodeStateVector()).toEqual(encodeStateVector([[7, 1]]));
  expect(parseUpdate(fold.encodeSince()).runs.map((run) => run.clock)).toEqual([0, 2]);
  fold.append(parseUpdate(updates[1]!));
  expect(fold.encodeStateVector()).toEqual(encodeStateVector([[7, 4]]));
  expect(load(fold.encodeSince()).ydoc.getArray("a").toJSON()).toEqual(doc.getArray("a").toJSON());
  const joined = parseUpdate(fold.encodeSince());
  expect(fold.byteLength).toBe(joined.runs[0]!.end - joined.runs[0]!.start);
});

test("[DOC-5] texts with different right origins stay apart, or a neighbour would change places", () => {
  const [low, high] = [5, 9].map((clientId) => {
    const doc = new Y.Doc();
    doc.clientID = clientId;
    return doc;
  }) as [Y.Doc, Y.Doc];
  const updates: Uint8Array[] = [];
  for (const doc of [low, high]) {
    doc.on("update", (update: Uint8Array, _o: unknown, _d: Y.Doc, transaction: Y.Transaction) => {
      if (transaction.local) updates.push(update);
    });
  }
  // "a" and "b" follow each other in client 9's clocks; "b" was put in front of "z", "a" was not.
  high.getText("t").insert(0, "a");
  Y.applyUpdate(low, updates[0]!);
  low.getText("t").insert(1, "z");
  Y.applyUpdate(high, updates[1]!);
  high.getText("t").insert(1, "b");
  expect(load(foldOf(updates).encodeSince()).ydoc.getText("t").toJSON()).toBe("abz");
});

/** "x" as value of key "k" of map "m", then two texts behind it; `flag` is whether they say so. */
function keyedTexts(flag: number): Uint8Array {
  const texts = [
    [0x24, 1, 1, 0x6d, 1, 0x6b, 1, 0x78],
    [0x84 | flag, 7, 0, 1, 0x79],
    [0x84 | flag, 7, 1, 1, 0x7a],
  ];
  return Uint8Array.of(1, texts.length, 7, 0, ...texts.flat(), 0);
}

test("[DOC-5] values of a key are never joined, even when they hide that they are values", () => {
  for (const flag of [0x20, 0]) {
    const bytes = keyedTexts(flag);
    const folded = load(foldOf([bytes]).encodeSince());
    expect(toHex(folded.digestS(hash))).toBe(toHex(load(bytes).digestS(hash)));
    expect(folded.ydoc.getMap("m").toJSON()).toEqual({ k: "z" });
  }
});

test("[DOC-5] values whose key only another client's later bytes tell are not joined either", () => {
  const first = new Y.Doc();
  first.clientID = 5;
  first.getMap("m").set("k", 1);
  const second = new Y.Doc();
  second.clientID = 9;
  Y.applyUpdate(second, Y.encodeStateAsUpdate(first));
  const updates = [Y.encodeStateAsUpdate(first)];
  second.on("update", (update: Uint8Array) => updates.push(update));
  for (const value of [2, 3, 4]) second.getMap("m").set("k", value);
  // Without the deletes, and merged by Yjs: client 9 stands first and no mark is left.
  const bytes = Y.mergeUpdates(updates);
  const direct = toHex(load(bytes).digestS(hash));
  for (const parts of [[bytes], updates, updates.toReversed()]) {
    const folded = load(foldOf(parts).encodeSince());
    expect(toHex(folded.digestS(hash))).toBe(direct);
    expect(folded.ydoc.getMap("m").toJSON()).toEqual({ k: 4 });
    expect(parseUpdate(foldOf(parts).encodeSince()).runs.map((run) => run.structCount)).toEqual([
      3, 1,
    ]);
  }
});

test("[DOC-5] a large update is taken over in stretches, and what follows adds up to the same document", () => {
  const author = new Y.Doc();
  author.clientID = 1_000;
  const text = author.getText("text");
  // Letters before letters, which cannot be joined, and some that are deleted.
  author.transact(() => {
    for (let index = 0; index < 60_000; index++) text.insert(0, "y");
    text.delete(100, 50);
  });
  const large = Y.encodeStateAsUpdate(author);
  expect(large.length).toBeGreaterThan(bulkBytesMin);
  const updates = [large];
  author.on("update", (update: Uint8Array) => updates.push(update));
  for (let index = 0; index < 20; index++) text.insert(text.length, "z");
  text.insert(7, "in the middle");
  const direct = toHex(load(Y.encodeStateAsUpdate(author)).digestS(hash));
  for (const parts of [updates, [large, ...updates], updates.toReversed()]) {
    const fold = foldOf(parts);
    expect(toHex(load(fold.encodeSince()).digestS(hash))).toBe(direct);
    for (const clock of [1, 12_345, 59_999, 60_010]) {
      const vector = encodeStateVector([[1_000, clock]]);
      const rest = parseUpdate(fold.encodeSince(vector));
      expect(rest.runs).toMatchObject([{ client: 1_000, clock, endClock: 60_033 }]);
    }
  }
  const pasted = new Y.Doc();
  pasted.clientID = 5;
  pasted.getText("text").insert(0, "x".repeat(bulkBytesMin));
  const first = Y.encodeStateAsUpdate(pasted);
  const typed: Uint8Array[] = [];
  pasted.on("update", (update: Uint8Array) => typed.push(update));
  pasted.getText("text").insert(bulkBytesMin, "ab");
  // The same letters in another cut: one unit is known, the first struct of the rest is trimmed.
  const known = characterOf(5, "x");
  const trimmed = foldOf([known, first, ...typed]);
  const loaded = load(trimmed.encodeSince()).ydoc.getText("text").toString();
  expect(loaded).toBe(pasted.getText("text").toString());
});

/** The first letter of a client's text as an update of its own. */
function characterOf(clientID: number, letter: string): Uint8Array {
  const doc = new Y.Doc();
  doc.clientID = clientID;
  doc.getText("text").insert(0, letter);
  return Y.encodeStateAsUpdate(doc);
}

test.each([
  ["claim", [0x80, 0x94, 0xeb, 0xdc, 0x03, 1, 1]],
  ["cut short", [2, 1, 1]],
  ["a client twice", [2, 1, 1, 1, 2]],
  ["trailing bytes", [0, 0]],
])("[DOC-5] a state vector that cannot be read is refused: %s", (_name, bytes) => {
  const refusal = expect.objectContaining({ code: HeddleErrorCode.frameMalformed });
  expect(() => new UpdateFold().encodeSince(Uint8Array.from(bytes))).toThrow(refusal);
  expect(() => load().encodeSince(Uint8Array.from(bytes))).toThrow(refusal);
});

test("[DOC-5] an empty vector, an empty array and none ask for everything", () => {
  const fold = foldOf(play([{ who: 0, what: 15, at: 3, size: 2 }]).updates);
  expect(fold.encodeSince(Uint8Array.of(0))).toEqual(fold.encodeSince());
  expect(fold.encodeSince(new Uint8Array())).toEqual(fold.encodeSince());
});

test("[DOC-5] a paste is held as it came, and never written to, whatever follows it", () => {
  const long = "r".repeat(5_000);
  // Of deleted content there is but a number, which is written over where the next one joins it.
  const deleted = [deletedUnit(0, long), deletedUnit(1, long)];
  for (const updates of [typedBehind(long, "on and on"), deleted]) {
    const before = updates.map((update) => toHex(update));
    const folded = load(foldOf(updates).encodeSince());
    expect(toHex(folded.digestS(hash))).toBe(toHex(load(...updates).digestS(hash)));
    expect(updates.map((update) => toHex(update))).toEqual(before);
  }
});

/** One update with a paste, and one with each letter of what was typed behind it. */
function typedBehind(paste: string, letters: string): Uint8Array[] {
  const doc = new Y.Doc();
  doc.clientID = 9;
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(new Uint8Array(update)));
  const text = doc.getText("t");
  for (const part of [paste, ...letters]) text.insert(text.length, part);
  return updates;
}

/** What a client that lacks this unit is told when it and all before it were deleted. */
function deletedUnit(clock: number, root: string): Uint8Array {
  const doc = new Y.Doc();
  doc.clientID = 9;
  doc.getText(root).insert(0, "x".repeat(clock + 1));
  doc.getText(root).delete(0, clock + 1);
  const known = encodeStateVector(clock > 0 ? [[9, clock]] : []);
  return new Uint8Array(Y.encodeStateAsUpdate(doc, known));
}
