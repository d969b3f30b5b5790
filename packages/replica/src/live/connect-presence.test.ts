import type { DocumentId } from "@heddle/core";
import { expect, test } from "vitest";
import { Awareness, encodeAwarenessUpdate } from "y-protocols/awareness";
import * as Y from "yjs";

import { PeerPresence } from "../peers/peer-presence.ts";
import { connectPresence } from "./connect-presence.ts";
import type { LiveDocument } from "./live-document.ts";
import { openLive } from "./live.fixture.ts";

const notes = "notes" as DocumentId;

function namesAt({ awareness }: LiveDocument): unknown[] {
  return [...awareness.getStates().values()].map((state) => state["name"]).filter(Boolean);
}

async function until(condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** What a peer says of a client of its own. */
function saysOf(name: string): { readonly client: number; readonly update: Uint8Array } {
  const doc = new Y.Doc();
  const awareness = new Awareness(doc);
  awareness.setLocalState({ name });
  const update = encodeAwarenessUpdate(awareness, [doc.clientID]);
  awareness.destroy();
  return { client: doc.clientID, update };
}

test("[RLY-18] live documents of one replica show each other who is there, from the start to the end", async () => {
  const presence = new PeerPresence(() => undefined);
  const { live } = await openLive();
  const [ann, bob] = [live(), live()];
  ann.awareness.setLocalState({ name: "ann" });
  connectPresence(ann, notes, { presence });
  connectPresence(bob, notes, { presence });
  await until(() => namesAt(bob).includes("ann"));
  bob.awareness.setLocalState({ name: "bob" });
  await until(() => namesAt(ann).includes("bob"));
  await ann.close();
  expect(namesAt(bob)).toEqual(["bob"]);
  await bob.close();
});

test("[RLY-18] whom a peer brought is gone with it, and whom another brought is not", async () => {
  const presence = new PeerPresence(() => undefined);
  const { live } = await openLive();
  const ann = live();
  connectPresence(ann, notes, { presence });
  for (const [peer, name] of [
    [1, "bob"],
    [2, "cat"],
  ] as const) {
    const payload = saysOf(name).update;
    presence.onEvent({ name: "ephemeral", peer, document: notes, payload });
  }
  expect(namesAt(ann)).toEqual(["bob", "cat"]);
  presence.onEvent({ name: "session.closed", peer: 1, code: "HEDDLE_SESSION_CLOSED" });
  expect(namesAt(ann)).toEqual(["cat"]);
  await ann.close();
});

test("[RLY-18] who answers the presence of another at once stays there when the peer that brought it is gone", async () => {
  const presence = new PeerPresence(() => undefined);
  const { live } = await openLive();
  const ann = live();
  connectPresence(ann, notes, { presence });
  ann.awareness.setLocalState({ name: "ann" });
  // As an editor that redraws its carets, or an application that gives way to a colour.
  ann.awareness.on("change", ({ added }: { readonly added: readonly number[] }) => {
    if (!added.includes(ann.awareness.clientID)) ann.awareness.setLocalStateField("hue", 2);
  });
  const payload = saysOf("bob").update;
  presence.onEvent({ name: "ephemeral", peer: 1, document: notes, payload });
  expect(ann.awareness.getLocalState()).toEqual({ name: "ann", hue: 2 });
  presence.onEvent({ name: "session.closed", peer: 1, code: "HEDDLE_SESSION_CLOSED" });
  expect(namesAt(ann)).toEqual(["ann"]);
  await ann.close();
});

test("[RLY-18] presence that cannot be read changes nothing, and is counted", async () => {
  const presence = new PeerPresence(() => undefined);
  const { live } = await openLive();
  const ann = live();
  connectPresence(ann, notes, { presence });
  const { update } = saysOf("bob");
  const broken = Uint8Array.from(update);
  broken[0] = 2;
  presence.onEvent({ name: "ephemeral", peer: 1, document: notes, payload: broken });
  expect([namesAt(ann), presence.refused]).toEqual([[], 1]);
  await ann.close();
});

test("[RLY-18] a document that closes says goodbye to the peers", async () => {
  const said: Uint8Array[] = [];
  const presence = new PeerPresence((_document, update) => said.push(update));
  const { live } = await openLive();
  const ann = live();
  connectPresence(ann, notes, { presence });
  ann.awareness.setLocalState({ name: "ann" });
  await ann.close();
  await until(() => said.some((update) => new TextDecoder().decode(update).endsWith("null")));
});
