import { expect, test } from "vitest";
import * as Y from "yjs";

import { memoryStore, startRelay, type RelayUnderTest } from "../integration/relay-under-test.ts";
import { connect, sleep, synced, until } from "../integration/stock-client.ts";
import { awareness, emptyVector, step1, step2, update } from "./client-messages.ts";
import { RawClient } from "./raw-client.ts";

// Goal: what stock clients honestly do is served, however hostile it looks.
// Method: do it with all limits on, loopback included, and see that nobody was refused.

const limits = { limitLoopback: true, refusalDelayMs: 10, upgradesPerAddressBurst: 500 };

function assertNobodyRefused({ relay }: RelayUnderTest): void {
  expect([...relay.counters.refused]).toEqual([]);
  expect(relay.counters.upgradesRefused).toBe(0);
}

/** A document that so many people have written in, each once. */
function documentOf(people: number): Y.Doc {
  const ydoc = new Y.Doc();
  for (let person = 0; person < people; person++) {
    const own = new Y.Doc();
    own.clientID = 1_000 + person;
    Y.applyUpdate(own, Y.encodeStateAsUpdate(ydoc));
    own.getText("text").insert(0, `person ${person} `);
    Y.applyUpdate(ydoc, Y.encodeStateAsUpdate(own));
  }
  return ydoc;
}

test("[RLY-14] a delete that comes before what it deletes waits for it", async () => {
  await using relay = await startRelay(await memoryStore(), { limits });
  // Tab A types, tab B hears it over BroadcastChannel and deletes it, and B's connection is quicker.
  const a = new Y.Doc();
  a.getText("text").insert(0, "thread");
  const typed = Y.encodeStateAsUpdate(a);
  const b = new Y.Doc();
  Y.applyUpdate(b, typed);
  let deleted = new Uint8Array();
  b.on("update", (bytes: Uint8Array) => (deleted = Uint8Array.from(bytes)));
  b.getText("text").delete(0, 5);
  using tabB = await RawClient.upgrade(relay.url);
  tabB.send(update(deleted));
  await until(() => relay.replica.counters.parked === 1, "it is parked");
  using tabA = await RawClient.upgrade(relay.url);
  tabA.send(update(typed));
  using late = connect(relay.url, "notes");
  await until(() => late.text.toString() === "d", "both arrive");
  expect([tabA.isClosed, tabB.isClosed]).toEqual([false, false]);
  assertNobodyRefused(relay);
});

test("[RLY-14] a first sync brings what others have written, as many as they were", async () => {
  await using relay = await startRelay(await memoryStore(), { limits });
  const ydoc = documentOf(300);
  using ada = connect(relay.url, "notes", { ydoc });
  await synced(ada);
  using bo = connect(relay.url, "notes");
  await until(() => bo.text.toString() === ada.text.toString(), "all of it arrives");
  expect(bo.text.length).toBeGreaterThan(3_000);
  assertNobodyRefused(relay);
});

test("[RLY-14] history that is loaded after the sync goes through, at the second try", async () => {
  await using relay = await startRelay(await memoryStore(), { limits });
  using ada = connect(relay.url, "notes");
  await synced(ada);
  // As y-indexeddb does when it is slower than the connection: one live update with 300 authors.
  Y.applyUpdate(ada.ydoc, Y.encodeStateAsUpdate(documentOf(300)), "indexeddb");
  using bo = connect(relay.url, "notes");
  await until(() => bo.text.length > 3_000, "all of it arrives");
  expect([...relay.relay.counters.refused]).toEqual([["HEDDLE_RELAY_QUOTA", 1]]);
  expect(ada.provider.shouldConnect).toBe(true);
});

test("[RLY-14] presence of others that is sent again is no news and no offence", async () => {
  await using relay = await startRelay(await memoryStore(), { limits });
  const people = Array.from({ length: 20 }, () => connect(relay.url, "notes"));
  for (const person of people) await synced(person);
  for (const { provider } of people) provider.awareness.setLocalStateField("name", "somebody");
  const sees = (person: (typeof people)[0]): number => person.provider.awareness.getStates().size;
  // Every one of them sends every change of every other one to the relay again.
  await until(() => people.every((person) => sees(person) === 20), "everybody sees everybody");
  using raw = await RawClient.upgrade(relay.url);
  const states = [...people[0]!.provider.awareness.meta].map(([client, { clock }]) => {
    return { client, clock, state: { name: "somebody" } };
  });
  raw.send(awareness(states));
  await sleep(100);
  expect(raw.isClosed).toBe(false);
  assertNobodyRefused(relay);
  for (const person of people) person[Symbol.dispose]();
});

test("[RLY-14] an empty vector, an empty document and an empty answer are every new client", async () => {
  const store = await memoryStore();
  await using relay = await startRelay(store, { limits });
  using raw = await RawClient.upgrade(relay.url, { path: "/never-heard-of" });
  for (const vector of [emptyVector, new Uint8Array()]) raw.send(step1(vector));
  raw.send(step2(Uint8Array.of(0, 0)));
  await until(() => raw.receivedBytes > 10, "it is answered");
  await sleep(50);
  expect(raw.isClosed).toBe(false);
  expect(relay.relay.counters.documentsCreated).toBe(0);
  assertNobodyRefused(relay);
});

test("[RLY-14] a paste of 10 MiB arrives", async () => {
  await using relay = await startRelay(await memoryStore(), { limits });
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  ada.text.insert(0, "paste ".repeat(1_750_000));
  await until(() => bo.text.length === 10_500_000, "it arrives");
  assertNobodyRefused(relay);
});

test("[RLY-14] a client that reconnects 100 times keeps its content and its presence", async () => {
  await using relay = await startRelay(await memoryStore(), { limits });
  using bo = connect(relay.url, "notes");
  using ada = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  ada.provider.awareness.setLocalStateField("name", "Ada");
  for (let round = 0; round < 100; round++) {
    ada.provider.disconnect();
    ada.text.insert(ada.text.length, ".");
    ada.provider.connect();
    await synced(ada);
  }
  await until(() => bo.text.length === 100, "all of it arrives");
  const sees = (): unknown => bo.provider.awareness.getStates().get(ada.ydoc.clientID)?.["name"];
  await until(() => sees() === "Ada", "and she is there");
  assertNobodyRefused(relay);
});
