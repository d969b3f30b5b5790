import { expect, test } from "vitest";
import * as fc from "fast-check";
import * as Y from "yjs";

import { parseStored } from "./parse-update.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { play, runs, steps } from "./sessions.fixture.ts";
import { ComparedRun } from "./struct-conflict.ts";

// Goal: two updates are in conflict when, and only when, one Yjs client wrote two things at one clock;
// never because somebody sends on what others wrote, in whatever form.

const ofDoc = (doc: Y.Doc) => parseStored(Y.encodeStateAsUpdate(doc));

function hasConflict(a: ParsedUpdate, b: ParsedUpdate): boolean {
  const [ofA, ofB] = [a, b].map((update) => update.runs.map((run) => new ComparedRun(update, run)));
  // Twice, as a run can be compared again: it keeps its place.
  const isFound = () => ofA!.some((left) => ofB!.some((right) => left.isInConflictWith(right)));
  const isConflict = isFound();
  expect(isFound()).toBe(isConflict);
  return isConflict;
}

function typed(write: (doc: Y.Doc) => void, before?: Y.Doc): Y.Doc {
  const doc = new Y.Doc();
  if (before) Y.applyUpdate(doc, Y.encodeStateAsUpdate(before));
  // Yjs takes another one where it meets its own.
  doc.clientID = 77;
  write(doc);
  return doc;
}

test("[DRF-8] what a session wrote is in conflict with no other form of it", () => {
  fc.assert(
    fc.property(steps, fc.boolean(), (script, stock) => {
      const { updates } = play(script, { stock });
      const merged = parseStored(Y.mergeUpdates([...updates]));
      const kept = new Y.Doc({ gc: false });
      const dropped = new Y.Doc();
      for (const doc of [kept, dropped]) {
        for (const update of updates) Y.applyUpdate(doc, update);
      }
      const forms = [merged, ofDoc(kept), ofDoc(dropped)];
      const parts = updates.map((update) => parseStored(update));
      for (const form of forms) {
        for (const other of [...forms, ...parts]) {
          expect(hasConflict(form, other)).toBe(false);
          expect(hasConflict(other, form)).toBe(false);
        }
      }
    }),
    runs(60),
  );
});

const base = typed((doc) => doc.getText("text").insert(0, "base"));
const pairs: [string, (doc: Y.Doc) => void, (doc: Y.Doc) => void][] = [
  [
    "letters",
    (doc) => doc.getText("text").insert(4, "ab"),
    (doc) => doc.getText("text").insert(4, "ac"),
  ],
  [
    "places",
    (doc) => doc.getText("text").insert(4, "ab"),
    (doc) => doc.getText("text").insert(1, "ab"),
  ],
  [
    "parents",
    (doc) => doc.getText("one").insert(0, "a"),
    (doc) => doc.getText("two").insert(0, "a"),
  ],
  ["keys", (doc) => doc.getMap("map").set("a", 1), (doc) => doc.getMap("map").set("b", 1)],
  ["values", (doc) => doc.getMap("map").set("a", 1), (doc) => doc.getMap("map").set("a", 2)],
  [
    "elements",
    (doc) => doc.getArray("list").push([1, 2]),
    (doc) => doc.getArray("list").push([1, 3]),
  ],
  [
    "kinds",
    (doc) => doc.getText("text").insert(4, "1"),
    (doc) => doc.getArray("text").insert(4, [1]),
  ],
  [
    "formats",
    (doc) => doc.getText("text").format(0, 1, { b: 1 }),
    (doc) => doc.getText("text").format(0, 1, { b: 2 }),
  ],
  [
    "embeds",
    (doc) => doc.getText("text").insertEmbed(4, { a: 1 }),
    (doc) => doc.getText("text").insertEmbed(4, { a: 2 }),
  ],
];

test.each(pairs)("[DRF-8] other %s at one clock are a conflict", (_name, left, right) => {
  const [a, b] = [ofDoc(typed(left, base)), ofDoc(typed(right, base))];
  expect(hasConflict(a, b)).toBe(true);
  expect(hasConflict(b, a)).toBe(true);
  expect(hasConflict(a, ofDoc(base))).toBe(false);
});

test("[DRF-8] half a character that Yjs has replaced is no conflict, and neither is what is deleted", () => {
  const whole = typed((doc) => doc.getText("text").insert(0, "x😀y"));
  const broken = typed((doc) => doc.getText("text").format(0, 2, { bold: true }), whole);
  expect(broken.getText("text").toString()).not.toBe("x😀y");
  expect(hasConflict(ofDoc(whole), ofDoc(broken))).toBe(false);
  const other = typed((doc) => {
    doc.getText("text").insert(0, "abcd");
    doc.getText("text").delete(0, 4);
  });
  expect(hasConflict(ofDoc(whole), ofDoc(other))).toBe(false);
});
