import * as fc from "fast-check";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { mergeParsed } from "./merge-parsed.ts";
import { parseUpdate } from "./parse-update.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { deliver, delivery, play, steps, runs } from "./sessions.fixture.ts";
import { encodeStateVector } from "./state-vector.ts";
import { keyedBit } from "./struct-reader.ts";
import { cutBefore, type StructPiece } from "./struct-piece.ts";
import { encodeUpdate, piecesOf } from "./update-writer.ts";

function cutAll(update: ParsedUpdate, clock: number): StructPiece[] {
  return piecesOf(update).flatMap((piece) => cutBefore(piece, clock) ?? []);
}

test("[DOC-3] a cut at any clock gives the bytes that Y.diffUpdate gives", () => {
  fc.assert(
    fc.property(steps, fc.nat(3), (script, who) => {
      const state = Y.encodeStateAsUpdate(play(script).docs[who]!);
      const update = parseUpdate(state);
      const clients = update.runs.map((run) => run.client);
      for (let clock = 0; clock < 24; clock++) {
        const vector = encodeStateVector(clients.map((client) => [client, clock] as const));
        const ours = encodeUpdate(cutAll(update, clock), update.deletes);
        const theirs = Y.diffUpdate(state, vector);
        expect(ours.length).toBe(theirs.length);
        // The mark "value of a key" is dropped by Y.diffUpdate where an origin tells the key.
        const differing = ours.filter((byte, index) => (byte ^ theirs[index]!) & ~keyedBit);
        expect(differing).toHaveLength(0);
      }
    }),
    runs(60),
  );
});

test("[DOC-3] trimming keeps the rest of each kind of content", () => {
  const doc = new Y.Doc();
  doc.clientID = 7;
  doc.getText("t").insert(0, "ab日😀d");
  doc.getArray("a").insert(0, [1, "two", { three: 3 }, null]);
  doc.getText("t").delete(1, 2);
  const update = parseUpdate(Y.encodeStateAsUpdate(doc));
  const end = update.runs[0]!.endClock;
  for (let clock = 1; clock < end; clock++) {
    const ours = encodeUpdate(cutAll(update, clock), update.deletes);
    parseUpdate(ours);
    const theirs = Y.diffUpdate(update.bytes, encodeStateVector([[7, clock]]));
    // Inside the surrogate pair both write U+FFFD.
    expect(Y.decodeUpdate(ours)).toEqual(Y.decodeUpdate(theirs));
  }
});

test("[DOC-3] a merge of bytes decodes to what Y.mergeUpdates covers", () => {
  fc.assert(
    fc.property(steps, delivery, fc.nat(40), (script, order, from) => {
      const updates = deliver(play(script), order).slice(from % 20);
      if (updates.length === 0) return;
      const ours = parseUpdate(mergeParsed(updates.map(parseUpdate)));
      const theirs = parseUpdate(Y.mergeUpdates(updates));
      expect(spansOf(ours)).toEqual(spansOf(theirs));
      expect(ours.deletes).toEqual(theirs.deletes);
    }),
    runs(100),
  );
});

/** Which clocks are covered, whatever the structs. */
function spansOf(update: ParsedUpdate): unknown {
  return update.runs.map(({ client, clock, endClock }) => [client, clock, endClock]);
}

test("[DOC-3] holes between merged updates become Skips and are filled by the next merge", () => {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  for (const char of "abcdef") doc.getText("t").insert(0, char);
  const [a, b, c, d, e, f] = updates.map(parseUpdate) as [
    ...[ParsedUpdate, ParsedUpdate, ParsedUpdate, ParsedUpdate, ParsedUpdate, ParsedUpdate],
  ];
  const holed = parseUpdate(mergeParsed([f, a, c, c]));
  expect(spansOf(holed)).toEqual([
    [doc.clientID, 0, 1],
    [doc.clientID, 2, 3],
    [doc.clientID, 5, 6],
  ]);
  const whole = new Y.Doc();
  Y.applyUpdate(whole, mergeParsed([holed, e, parseUpdate(mergeParsed([b, d, c]))]));
  expect(whole.getText("t").toJSON()).toBe("fedcba");
});
