import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import { attached, digests, digestsOf } from "./bound-digests.fixture.ts";
import { BoundDocument } from "./bound-documents.fixture.ts";
import { encodeWithin } from "./encode-segment.ts";
import { parseUpdate } from "./parse-update.ts";

describe("a window", () => {
  test("[LIV-1] is a fixed time from the first edit; 40 ms while somebody listens, 500 ms while nobody does", () => {
    const bound = attached();
    const text = bound.ydoc.getText("t");
    text.insert(0, "a");
    text.insert(1, "b");
    expect(bound.timers.delays).toEqual([40]);
    expect(bound.binding.edits).toBe(2);
    bound.timers.fire();
    expect(bound.updates).toHaveLength(1);
    expect(bound.sealed[0]).toMatchObject({ edits: 2, isImported: false });
    bound.isListenedTo = false;
    text.insert(2, "c");
    expect(bound.timers.delays).toEqual([500]);
  });

  test("[LIV-1] ends when it holds 32 KiB, and when it is told to", () => {
    const bound = attached();
    const text = bound.ydoc.getText("t");
    for (let index = 0; index < 33; index++) text.insert(0, "x".repeat(1000));
    expect(bound.updates).toHaveLength(1);
    expect(bound.timers.delays).toEqual([]);
    text.insert(0, "y");
    bound.binding.flush();
    expect(bound.updates).toHaveLength(2);
    expect(bound.timers.delays).toEqual([]);
  });

  test("is sealed as what is there in the end: what was typed and deleted takes no content along", () => {
    const bound = attached();
    const text = bound.ydoc.getText("t");
    for (let index = 0; index < 100; index++) text.insert(index, "x");
    text.insert(100, "secret");
    text.delete(100, 6);
    bound.binding.flush();
    const [update] = bound.updates;
    expect(update!.length).toBeLessThan(140);
    expect(new TextDecoder().decode(update)).not.toContain("secret");
    expect(digestsOf(bound.updates)).toEqual(digests(bound.ydoc));
  });

  test("of a transaction in the middle of which it ends holds what was whole before", () => {
    const bound = attached();
    const text = bound.ydoc.getText("t");
    text.insert(0, "before");
    bound.ydoc.transact(() => {
      text.insert(6, " inside");
      bound.binding.flush();
      text.delete(0, 3);
    });
    expect(bound.updates).toHaveLength(1);
    bound.binding.flush();
    expect(bound.updates).toHaveLength(2);
    expect(digestsOf(bound.updates)).toEqual(digests(bound.ydoc));
    expect(digestsOf(bound.updates.slice(0, 1)).s).not.toBe(digests(bound.ydoc).s);
  });
});

describe("everything that is not ours is captured", () => {
  test("[LIV-3] whatever its origin: templates, imports and other providers, flagged as imported", () => {
    const template = new Y.Doc();
    template.getText("t").insert(0, "template");
    const bound = attached();
    bound.ydoc.getText("t").insert(0, "own");
    Y.applyUpdate(bound.ydoc, Y.encodeStateAsUpdate(template), "some provider");
    bound.ydoc.getText("t").insert(0, "more");
    bound.binding.flush();
    expect(bound.sealed.map(({ isImported }) => isImported)).toEqual([false, true, false]);
    expect(bound.log.parked).toEqual([]);
    expect(digestsOf(bound.updates)).toEqual(digests(bound.ydoc));
  });

  test("[LIV-3] also what was in the document before it was bound, and before the log was there", () => {
    const ydoc = new Y.Doc();
    ydoc.getText("t").insert(0, "old");
    ydoc.getMap("m").set("k", 1);
    ydoc.getMap("m").set("k", 2);
    const bound = new BoundDocument(7, ydoc);
    ydoc.getText("t").insert(0, "early ");
    const other = attached(500);
    other.ydoc.getText("t").insert(0, "log ");
    other.binding.flush();
    for (const update of other.updates) bound.log.receive(update);
    expect(bound.updates).toEqual([]);
    bound.attach();
    expect(bound.sealed.map(({ isImported, edits }) => [isImported, edits])).toEqual([
      [true, 1],
      [false, 1],
    ]);
    for (const update of bound.updates) other.receive(update);
    expect(digests(other.ydoc)).toEqual(digests(ydoc));
    expect(ydoc.getText("t").toJSON()).toContain("early ");
  });

  test("[LIV-3] a document that holds what the log holds adds nothing, derived deletes included", () => {
    const writer = attached();
    const map = writer.ydoc.getMap("m");
    map.set("k", new Y.Map([["deep", 1]]));
    writer.binding.flush();
    map.set("k", 2);
    writer.binding.flush();
    const copy = new Y.Doc();
    for (const update of writer.updates) Y.applyUpdate(copy, update);
    const bound = new BoundDocument(9, copy);
    for (const update of writer.updates) bound.log.receive(update);
    bound.attach();
    expect(bound.sealed).toEqual([{ updates: [], isImported: true, context: undefined, edits: 1 }]);
  });

  test("[LIV-3] what Yjs holds pending is sealed when it is complete, by whomever it was completed", () => {
    const author = new Y.Doc();
    const updates: Uint8Array[] = [];
    author.on("update", (update: Uint8Array) => updates.push(update));
    const text = author.getText("t");
    for (const word of ["one ", "two ", "three "]) text.insert(text.length, word);
    text.delete(4, 4);
    const bound = attached();
    Y.applyUpdate(bound.ydoc, updates[2]!);
    Y.applyUpdate(bound.ydoc, updates[3]!);
    bound.ydoc.getMap("m").set("beside", true);
    bound.binding.flush();
    expect(bound.ydoc.store.pendingStructs).not.toBeNull();
    expect(bound.log.parked).toEqual([]);
    // The application brings one of the two that are missing, the log the other.
    Y.applyUpdate(bound.ydoc, updates[1]!);
    bound.receive(updates[0]!);
    expect(bound.ydoc.getText("t").toJSON()).toBe("one three ");
    bound.binding.flush();
    expect(bound.log.parked).toEqual([]);
    const logged = bound.log.admitted.map(({ bytes }) => bytes);
    expect(digestsOf(logged)).toEqual(digests(bound.ydoc));
  });

  test("[LIV-3] edits of observers, also of those that answer what the log brought", () => {
    const bound = attached();
    const text = bound.ydoc.getText("t");
    text.observe((event) => {
      if (event.transaction.origin === bound.binding.origin) text.insert(0, "seen: ");
    });
    const other = attached(900);
    other.ydoc.getText("t").insert(0, "news");
    other.binding.flush();
    bound.receive(other.updates[0]!);
    expect(text.toJSON()).toBe("seen: news");
    bound.binding.flush();
    expect(bound.sealed.map(({ isImported }) => isImported)).toEqual([false]);
    other.receive(bound.updates[0]!);
    expect(digests(other.ydoc)).toEqual(digests(bound.ydoc));
  });
});

describe("what the log brings", () => {
  test("[DOC-4] is one transaction under our origin, is not captured, and makes Yjs write nothing", () => {
    const writer = attached();
    const text = writer.ydoc.getText("t");
    text.insert(0, "bold and plain");
    text.format(0, 4, { b: true });
    writer.binding.flush();
    const reader = attached(600);
    const origins: unknown[] = [];
    reader.ydoc.on("afterTransaction", ({ origin, local }) => origins.push([origin, local]));
    text.format(0, 8, { b: null });
    text.delete(0, 3);
    writer.binding.flush();
    for (const update of writer.updates) reader.receive(update);
    expect(origins).toEqual([
      [reader.binding.origin, false],
      [reader.binding.origin, false],
    ]);
    expect(reader.captured).toBe(0);
    expect(digests(reader.ydoc)).toEqual(digests(writer.ydoc));
  });

  test("reaches the document when observers throw, and says so", () => {
    const reader = attached();
    const writer = attached(600);
    writer.ydoc.getText("t").insert(0, "text");
    writer.binding.flush();
    const failure = new Error("in the application");
    reader.ydoc.getText("t").observe(() => {
      throw failure;
    });
    const update = writer.updates[0]!;
    const outcome = reader.binding.apply(update, [parseUpdate(update)]);
    expect(outcome.observerError).toBe(failure);
    expect(reader.ydoc.getText("t").toJSON()).toBe("text");
  });
});

describe("the client id", () => {
  test("[LIV-4] is ours, and another one after the document was attached to another lane", () => {
    const bound = attached(100);
    expect(bound.ydoc.clientID).toBe(100);
    bound.ydoc.getText("t").insert(0, "first");
    bound.binding.detach();
    bound.ydoc.getText("t").insert(0, "between ");
    expect(bound.sealed).toHaveLength(1);
    bound.attach();
    expect(bound.ydoc.clientID).toBe(101);
    bound.ydoc.getText("t").insert(0, "then ");
    bound.binding.flush();
    expect(bound.sealed.map(({ isImported }) => isImported)).toEqual([false, true, false]);
    expect(digestsOf(bound.updates)).toEqual(digests(bound.ydoc));
    expect(bound.rotations).toBe(0);
  });

  test("[LIV-4] is never one that the log has seen, and a rotation by Yjs is told", () => {
    const stranger = new Y.Doc();
    stranger.clientID = 100;
    stranger.getText("t").insert(0, "taken");
    const taken = Y.encodeStateAsUpdate(stranger);
    const bound = new BoundDocument(100);
    bound.log.receive(taken);
    bound.attach();
    expect(bound.ydoc.clientID).toBe(101);
    expect(bound.rotations).toBe(0);
    stranger.clientID = 101;
    stranger.getText("t").insert(0, "again ");
    Y.applyUpdate(bound.ydoc, Y.encodeStateAsUpdate(stranger));
    expect(bound.rotations).toBe(1);
    expect(bound.ydoc.clientID).toBe(102);
    bound.ydoc.getText("t").insert(0, "mine ");
    bound.binding.flush();
    expect(bound.sealed.map(({ isImported }) => isImported)).toEqual([true, false]);
    expect(digestsOf([taken, ...bound.updates])).toEqual(digests(bound.ydoc));
  });
});

describe("what an application says about its edits", () => {
  const paste = { reason: new TextEncoder().encode("paste") };
  const fix = { reason: new TextEncoder().encode("fix"), correlationId: Uint8Array.of(1, 2) };

  test("[LIV-5] never shares a seal with what another reason was given for", () => {
    const bound = attached();
    const text = bound.ydoc.getText("t");
    text.insert(0, "a");
    bound.binding.transact(() => text.insert(1, "b"), paste);
    bound.binding.transact(() => text.insert(2, "c"), { reason: paste.reason.slice() });
    bound.binding.transact(() => text.insert(3, "d"), fix);
    text.insert(4, "e");
    bound.binding.flush();
    const contexts = bound.sealed.map(({ context, edits }) => [context, edits]);
    expect(contexts).toEqual([
      [undefined, 1],
      [paste, 2],
      [fix, 1],
      [undefined, 1],
    ]);
    // By now Yjs has joined all five letters into one struct.
    const lengths = bound.updates.map((update) => parseUpdate(update).runs[0]!);
    expect(lengths.map(({ clock, endClock }) => [clock, endClock])).toEqual([
      [0, 1],
      [1, 3],
      [3, 4],
      [4, 5],
    ]);
    expect(digestsOf(bound.updates)).toEqual(digests(bound.ydoc));
  });

  test("[LIV-5] is about its own transaction, not about those that observers make of it", () => {
    const bound = attached();
    const text = bound.ydoc.getText("t");
    const count = bound.ydoc.getMap("m");
    text.observe(() => {
      bound.binding.transact(() => count.set("length", text.length), fix);
      count.set("seen", true);
    });
    bound.binding.transact(() => text.insert(0, "pasted"), paste);
    bound.binding.flush();
    expect(bound.sealed.map(({ context, edits }) => [context, edits])).toEqual([
      [paste, 1],
      [fix, 1],
      [undefined, 1],
    ]);
    const ends = bound.updates.map((update) => parseUpdate(update).runs[0]!.endClock);
    expect(ends).toEqual([6, 7, 8]);
    expect(digestsOf(bound.updates)).toEqual(digests(bound.ydoc));
  });
});

test("[LIV-2] UndoManager works: origins are the application's own, and undoing is an edit", () => {
  const bound = attached();
  const text = bound.ydoc.getText("t");
  const editor = { name: "editor" };
  const undo = new Y.UndoManager(text, { trackedOrigins: new Set([editor]), captureTimeout: 0 });
  bound.ydoc.transact(() => text.insert(0, "mine"), editor);
  const other = attached(600);
  bound.binding.flush();
  other.receive(bound.updates[0]!);
  other.ydoc.getText("t").insert(4, " theirs");
  other.binding.flush();
  bound.receive(other.updates[0]!);
  undo.undo();
  expect(text.toJSON()).toBe(" theirs");
  bound.binding.flush();
  other.receive(bound.updates[1]!);
  expect(digests(other.ydoc)).toEqual(digests(bound.ydoc));
  undo.redo();
  expect(text.toJSON()).toBe("mine theirs");
});

test("[LIV-2] a seal that would be over the size limit is sealed in several, never inside a character", () => {
  const doc = new Y.Doc();
  doc.clientID = 5;
  doc.getText("t").insert(0, "x😀".repeat(400));
  doc.getText("t").insert(3, "in the middle");
  doc.getText("t").delete(0, 2);
  const { deletes } = parseUpdate(Y.encodeStateAsUpdate(doc));
  const whole = new Map([[5, { from: 0, to: Y.getState(doc.store, 5) }]]);
  const updates = encodeWithin(doc, whole, deletes, 200);
  expect(updates.length).toBeGreaterThan(8);
  for (const update of updates) expect(update.length).toBeLessThanOrEqual(200);
  expect(digestsOf(updates)).toEqual(digests(doc));
});
