import { expect, test } from "vitest";
import * as Y from "yjs";

import { admitUpdate } from "./admit-update.ts";
import { DocumentKnowledge } from "./document-knowledge.ts";
import { mergeParsed } from "./merge-parsed.ts";
import { parseUpdate } from "./parse-update.ts";
import type { ParsedUpdate } from "./parsed-update.ts";

/** Updates of client 7 that each append one word to an array; every word is one clock. */
function words(...all: string[]): ParsedUpdate[] {
  const doc = new Y.Doc();
  doc.clientID = 7;
  const updates: ParsedUpdate[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(parseUpdate(update)));
  for (const word of all) doc.getArray("a").push([word]);
  return updates;
}

function knowing(...updates: ParsedUpdate[]): DocumentKnowledge {
  const knowledge = new DocumentKnowledge();
  for (const update of updates) knowledge.learn(update);
  return knowledge;
}

function merged(...updates: ParsedUpdate[]): ParsedUpdate {
  return parseUpdate(mergeParsed(updates));
}

function spansOf(update: ParsedUpdate | Uint8Array | undefined): number[][] {
  if (update === undefined) return [];
  const { runs } = update instanceof Uint8Array ? parseUpdate(update) : update;
  return runs.map(({ client, clock, endClock }) => [client, clock, endClock]);
}

/** Clients, each with one struct behind the given id of another one (or at the root). */
function chained(...links: [client: number, origin?: [client: number, clock: number]][]) {
  const structs = links.map(([client, origin]) =>
    origin === undefined
      ? [1, client, 0, 4, 1, 1, 0x74, 1, 0x78]
      : [1, client, 0, 0x84, ...origin, 1, 0x78],
  );
  return parseUpdate(Uint8Array.of(links.length, ...structs.flat(), 0));
}

test("[DOC-2] a new update is admitted as it is, without a copy", () => {
  const doc = new Y.Doc();
  doc.getText("t").insert(0, "abc");
  // Inserted and deleted in one transaction: the delete has its target in the same update.
  doc.getText("t").delete(1, 1);
  const update = parseUpdate(Y.encodeStateAsUpdate(doc));
  const admission = admitUpdate(new DocumentKnowledge(), update);
  expect(admission).toEqual({ admitted: update, isDuplicate: false });
  expect(admission.admitted).toBe(update);
});

test("[DOC-2] an update without content and one known already are duplicates", () => {
  const [one, two] = words("one", "two");
  const knowledge = knowing(one!, two!);
  for (const update of [one!, merged(one!, two!), parseUpdate(Uint8Array.of(0, 0))]) {
    expect(admitUpdate(knowledge, update)).toEqual({ isDuplicate: true });
  }
});

test("[DOC-2] of a struct known in part only the unknown rest is admitted", () => {
  const doc = new Y.Doc();
  doc.clientID = 7;
  doc.getArray("a").push(["one"]);
  const knowledge = knowing(parseUpdate(Y.encodeStateAsUpdate(doc)));
  doc.getArray("a").push(["two"]);
  // Yjs has joined both into one struct.
  const { admitted, parked } = admitUpdate(knowledge, parseUpdate(Y.encodeStateAsUpdate(doc)));
  expect(spansOf(admitted)).toEqual([[7, 1, 2]]);
  expect(parked).toBeUndefined();
});

test("[DOC-6] what stands behind a gap is parked whole and admitted when the gap is filled", () => {
  const [one, two, three] = words("one", "two", "three") as [
    ParsedUpdate,
    ParsedUpdate,
    ParsedUpdate,
  ];
  const knowledge = new DocumentKnowledge();
  const holed = admitUpdate(knowledge, merged(one, three));
  expect(spansOf(holed.admitted)).toEqual([[7, 0, 1]]);
  expect(spansOf(holed.parked)).toEqual([[7, 2, 3]]);
  knowledge.learn(holed.admitted!);
  expect(admitUpdate(knowledge, parseUpdate(holed.parked!)).admitted).toBeUndefined();
  knowledge.learn(two);
  expect(admitUpdate(knowledge, parseUpdate(holed.parked!)).admitted?.bytes).toEqual(three.bytes);
});

test("[DOC-6] structs of several clients are admitted in causal order, whatever their order in bytes", () => {
  const update = chained([9, [8, 0]], [8, [7, 0]], [7]);
  expect(spansOf(admitUpdate(new DocumentKnowledge(), update).admitted)).toHaveLength(3);
  const headless = admitUpdate(new DocumentKnowledge(), chained([9, [8, 0]], [8, [7, 0]], [6]));
  expect(spansOf(headless.admitted)).toEqual([[6, 0, 1]]);
  expect(spansOf(headless.parked)).toEqual([
    [9, 0, 1],
    [8, 0, 1],
  ]);
});

test("[DOC-6] clients that wait for each other in a circle are never admitted", () => {
  const circle = chained([9, [8, 0]], [8, [9, 0]], [7, [9, 0]], [6]);
  const { admitted, parked } = admitUpdate(new DocumentKnowledge(), circle);
  expect(spansOf(admitted)).toEqual([[6, 0, 1]]);
  expect(spansOf(parked)).toHaveLength(3);
});

test("[DOC-6] deletes are split into known, new and ahead of what is there", () => {
  const all = words("one", "two", "three", "four", "five");
  const knowledge = knowing(...all.slice(0, 4), parseUpdate(Uint8Array.of(0, 1, 7, 1, 1, 1)));
  // Deletes 0..5 while clocks 0..3 are there and 1 is deleted already.
  const { admitted, parked } = admitUpdate(knowledge, parseUpdate(Uint8Array.of(0, 1, 7, 1, 0, 6)));
  expect(admitted?.deletes).toEqual([{ client: 7, ranges: [0, 1, 2, 4] }]);
  expect(parseUpdate(parked!).deletes).toEqual([{ client: 7, ranges: [4, 6] }]);
  const withTarget = merged(all[4]!, parseUpdate(Uint8Array.of(0, 1, 7, 1, 4, 1)));
  expect(admitUpdate(knowledge, withTarget)).toEqual({ admitted: withTarget, isDuplicate: false });
});

test("[DOC-2] what is admitted out of a foreign order of clients is in the order of Yjs", () => {
  const ascending = chained([5], [7], [6]);
  const { admitted } = admitUpdate(new DocumentKnowledge(), ascending);
  expect(spansOf(admitted).map(([client]) => client)).toEqual([7, 6, 5]);
});

test("[DOC-3] learning what leaves a gap is a mistake of the caller", () => {
  const [, two] = words("one", "two");
  expect(() => knowing(two!)).toThrow("invariant broken");
  expect(() => knowing(parseUpdate(Uint8Array.of(0, 1, 7, 1, 0, 1)))).toThrow("invariant broken");
});
