import { expect, test } from "vitest";
import * as Y from "yjs";

import { admitUpdate } from "./admit-update.ts";
import { DocumentKnowledge } from "./document-knowledge.ts";
import { HeldClocks } from "./held-clocks.ts";
import { parseUpdate } from "./parse-update.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { decodeStateVector } from "./state-vector.ts";

/** Three updates of client 7, each behind the one before, and one of client 8 that follows them. */
function chain(): { parts: ParsedUpdate[]; follower: ParsedUpdate; doc: Y.Doc } {
  const doc = new Y.Doc();
  doc.clientID = 7;
  const parts: ParsedUpdate[] = [];
  doc.on("update", (update: Uint8Array) => parts.push(parseUpdate(update)));
  for (const word of ["one ", "two ", "three"]) {
    doc.getText("text").insert(doc.getText("text").length, word);
  }
  const other = new Y.Doc();
  other.clientID = 8;
  Y.applyUpdate(other, Y.encodeStateAsUpdate(doc));
  const before = Y.encodeStateVector(other);
  other.getText("text").insert(6, "!");
  return { parts, follower: parseUpdate(Y.encodeStateAsUpdate(other, before)), doc };
}

test("[DOC-9] what the log holds aside is dropped when it comes again, and asked for no more", () => {
  const { parts, follower, doc } = chain();
  const [one, two, three] = parts;
  const knowledge = new DocumentKnowledge();
  const held = new HeldClocks();
  knowledge.learn(one!);
  held.hold(two!);
  expect(held.without(knowledge, one!)).toBe(one);
  expect(held.without(knowledge, follower)).toBe(follower);
  const again = held.without(knowledge, parseUpdate(Y.encodeStateAsUpdate(doc)));
  // What is left is what came behind: it waits, because the log does not have what it follows on.
  expect(again.runs).toMatchObject([{ client: 7, clock: 8, endClock: 13 }]);
  expect(admitUpdate(knowledge, again).admitted).toBeUndefined();
  held.hold(three!);
  expect(held.without(knowledge, parseUpdate(Y.encodeStateAsUpdate(doc))).runs).toEqual([]);
  expect([...decodeStateVector(held.encodeStateVector(knowledge))]).toEqual([[7, 13]]);
});
