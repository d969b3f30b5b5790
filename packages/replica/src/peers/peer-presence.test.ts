import type { DocumentId } from "@heddle/core";
import type { PeerChoice } from "@heddle/sync";
import { expect, test } from "vitest";

import {
  isPresenceQuestion,
  PeerPresence,
  type PresencePart,
  type PresenceSource,
} from "./peer-presence.ts";

const notes = "notes" as DocumentId;
const other = "other" as DocumentId;
const update = Uint8Array.of(1, 2, 3);

class Part implements PresencePart {
  readonly heard: unknown[] = [];

  onPresence(document: DocumentId, bytes: Uint8Array, from: PresenceSource): void {
    this.heard.push(isPresenceQuestion(bytes) ? "asked" : [document, from]);
  }

  onPresenceDue(document: DocumentId, to: PresenceSource): void {
    this.heard.push(["due", document, to]);
  }

  onPresenceEnded(from: PresenceSource): void {
    this.heard.push(["ended", from]);
  }
}

function newPresence() {
  const sent: [DocumentId, PeerChoice][] = [];
  const presence = new PeerPresence((document, _bytes, to) => sent.push([document, to]));
  return { sent, presence };
}

test("what a peer says is heard by those who have the document, and by nobody twice", () => {
  const { presence, sent } = newPresence();
  const [all, ofNotes, ofOther] = [new Part(), new Part(), new Part()];
  presence.join(all);
  presence.join(ofNotes, notes);
  presence.join(ofOther, other);
  presence.onEvent({ name: "ephemeral", peer: 1, document: notes, payload: update });
  presence.onEvent({ name: "presence.due", peer: 1, document: notes });
  presence.onEvent({ name: "session.closed", peer: 1, code: "HEDDLE_SESSION_CLOSED" });
  const heard = [
    [notes, 1],
    ["due", notes, 1],
    ["ended", 1],
  ];
  expect([all.heard, ofNotes.heard, ofOther.heard]).toEqual([heard, heard, [["ended", 1]]]);
  expect(sent).toEqual([]);
});

test("[RLY-6] what is said leaves after those who tell of the commit have told the peers", async () => {
  const { presence, sent } = newPresence();
  const [from, here] = [new Part(), new Part()];
  presence.join(from);
  presence.join(here);
  presence.send(from, notes, update, { except: 3 });
  expect([sent, here.heard]).toEqual([[], []]);
  await Promise.resolve();
  expect(sent).toEqual([[notes, { only: undefined, except: 3 }]]);
  expect([from.heard, here.heard]).toEqual([[], [[notes, from]]]);
});

test("what is for one is for nobody else", async () => {
  const { presence, sent } = newPresence();
  const [from, here, third] = [new Part(), new Part(), new Part()];
  for (const part of [from, here, third]) presence.join(part);
  presence.send(from, notes, update, { only: here });
  presence.send(from, notes, update, { only: 7 });
  await Promise.resolve();
  expect([here.heard, third.heard]).toEqual([[[notes, from]], []]);
  expect(sent).toEqual([[notes, { only: 7, except: undefined }]]);
});

test("who joins for a document asks who is there; who leaves is gone for the others", async () => {
  const { presence, sent } = newPresence();
  const [all, part] = [new Part(), new Part()];
  presence.join(all);
  const leave = presence.join(part, notes);
  await Promise.resolve();
  expect(all.heard).toEqual(["asked"]);
  expect(sent).toEqual([[notes, { only: undefined, except: undefined }]]);
  presence.send(part, notes, update);
  leave();
  leave();
  await Promise.resolve();
  expect(all.heard.slice(1)).toEqual([["ended", part]]);
  // Peers were not told that it has left, so they hear its last word.
  expect(sent).toHaveLength(2);
});
