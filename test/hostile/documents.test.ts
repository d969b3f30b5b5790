import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect, test } from "vitest";
import * as Y from "yjs";

import { memoryStore, startRelay } from "../integration/relay-under-test.ts";
import { connect, sleep, synced, until } from "../integration/stock-client.ts";
import { RelayProcess } from "../processes/relay-process.ts";
import { emptyVector, step1, step2, update } from "./client-messages.ts";
import { from, RawClient } from "./raw-client.ts";

const quick = { refusalDelayMs: 10 };
const miB = 1024 * 1024;

/** An update of a Yjs client that nobody has heard of. */
function updateOf(clientID: number, text = "x"): Uint8Array {
  const ydoc = Object.assign(new Y.Doc(), { clientID });
  ydoc.getText("text").insert(0, text);
  return Y.encodeStateAsUpdate(ydoc);
}

/** One update of so many Yjs clients. */
function crowdOf(clients: number, first: number): Uint8Array {
  return Y.mergeUpdates(Array.from({ length: clients }, (_, index) => updateOf(first + index)));
}

test("[RLY-16] 4,000 rooms that nobody writes in leave nothing behind", async () => {
  const data = await mkdtemp(path.join(tmpdir(), "heddle-rooms-"));
  try {
    await using relay = await RelayProcess.start({ data });
    const url = relay.url.replace("http", "ws");
    const knock = async (room: number): Promise<void> => {
      using client = await RawClient.upgrade(url, { path: `/room-${room}` });
      client.send(step1(emptyVector));
      await until(() => client.receivedBytes > 6, "it is served");
    };
    const visit = async (from: number, to: number): Promise<void> => {
      for (let room = from; room < to; room += 40) {
        await Promise.all(Array.from({ length: 40 }, (_, index) => knock(room + index)));
      }
    };
    await visit(0, 1_000);
    await sleep(500);
    const before = relay.memoryBytes;
    await visit(1_000, 5_000);
    const visited = relay.memoryBytes;
    // Documents leave memory 30 s after their last reader. What is free then is not given back to the
    // system at once, but 4,000 others find room in it.
    await sleep(31_000);
    await visit(5_000, 9_000);
    const again = relay.memoryBytes;
    console.info(
      `4,000 rooms: RSS ${(before / miB).toFixed(0)} MiB before, ${(visited / miB).toFixed(0)} MiB ` +
        `with them, ${(again / miB).toFixed(0)} MiB with 4,000 others`,
    );
    expect(again - visited).toBeLessThan(24 * miB);
    using ada = connect(url, "notes");
    await synced(ada);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});

test("[RLY-16] a room costs memory while it is known, and no record ever", async () => {
  const store = await memoryStore();
  await using relay = await startRelay(store);
  for (let room = 0; room < 200; room++) {
    using client = await RawClient.upgrade(relay.url, { path: `/room-${room}` });
    client.send(step1(emptyVector));
    client.send(step2(Uint8Array.of(0, 0)));
    await until(() => client.receivedBytes > 6, "it is served");
  }
  await until(() => relay.replica.openDocuments === 0, "all have left memory");
  let stored = 0;
  for await (const _ of store.readDocuments()) stored++;
  expect([stored, relay.relay.counters.documentsCreated]).toEqual([0, 0]);
});

test("[RLY-16] one address creates so many documents an hour, and reads as many as it likes", async () => {
  const limits = {
    ...quick,
    limitLoopback: true,
    documentsPerAddressPerHour: 3,
    upgradesPerAddressBurst: 500,
  };
  await using relay = await startRelay(await memoryStore(), { limits });
  const clients = [];
  for (let room = 0; room < 4; room++) {
    const client = await RawClient.upgrade(relay.url, { path: `/room-${room}` });
    client.send(update(updateOf(room + 1)));
    clients.push(client);
  }
  expect(await clients[3]!.closeCode()).toBe(1013);
  expect(relay.relay.counters.refused.get("HEDDLE_RELAY_QUOTA")).toBe(1);
  await until(() => relay.relay.counters.documentsCreated === 3, "three are on disk");
  expect(clients.slice(0, 3).map(({ isClosed }) => isClosed)).toEqual([false, false, false]);
  clients[0]!.send(update(updateOf(99)));
  using reader = connect(relay.url, "room-0");
  await until(() => reader.text.length === 2, "what exists is read and written");
  for (const client of clients) client.socket.destroy();
});

test("[RLY-16] the relay keeps so many documents", async () => {
  await using relay = await startRelay(await memoryStore(), {
    limits: { ...quick, documentsMax: 1 },
  });
  using first = await RawClient.upgrade(relay.url, { path: "/first" });
  first.send(update(updateOf(1)));
  await until(() => relay.replica.counters.envelopes === 1, "it is stored");
  using second = await RawClient.upgrade(relay.url, { path: "/second" });
  second.send(update(updateOf(2)));
  expect(await second.closeCode()).toBe(1013);
});

test("[RLY-16] one connection brings few Yjs clients, and a document has so many", async () => {
  const limits = {
    ...quick,
    clientsPerConnectionMax: 10,
    clientsPerDocumentMax: 15,
    newcomersPerUpdateMax: 0,
  };
  await using relay = await startRelay(await memoryStore(), { limits });
  using mallory = await RawClient.upgrade(relay.url);
  for (let client = 1; client <= 11; client++) mallory.send(update(updateOf(client)));
  expect(await mallory.closeCode()).toBe(1013);
  using again = await RawClient.upgrade(relay.url);
  for (let client = 100; client <= 106; client++) again.send(update(updateOf(client)));
  expect(await again.closeCode()).toBe(1013);
  const { limited, refused } = relay.relay.counters;
  expect(limited.get("clientsPerConnectionMax")).toBe(1);
  expect(limited.get("clientsPerDocumentMax")).toBe(1);
  expect(refused.get("HEDDLE_RELAY_QUOTA")).toBe(2);
  using reader = connect(relay.url, "notes");
  await synced(reader);
  expect(reader.text.length).toBe(15);
});

test("[RLY-16] a crowd of 10,000 locks no newcomer out, and a reconnect brings no second one", async () => {
  const limits = { ...quick, upgradesPerAddressBurst: 500 };
  await using relay = await startRelay(await memoryStore(), { limits, trustProxy: true });
  using ada = await RawClient.upgrade(relay.url, from("203.0.113.1"));
  ada.send(update(updateOf(1)));
  await until(() => relay.replica.counters.envelopes === 1, "the document is there");
  const { limited } = relay.relay.counters;
  const isRefused = (): boolean => limited.has("clientsPerAddressMax");
  let sent = 0;
  while (sent < 6 && !isRefused()) {
    const { admitted } = relay.replica.counters;
    using mallory = await RawClient.upgrade(relay.url, from("198.51.100.66"));
    mallory.send(step2(crowdOf(1_000, 1_000 + sent * 1_000)));
    sent++;
    const isTaken = (): boolean => relay.replica.counters.admitted > admitted;
    await until(() => isTaken() || isRefused(), "the crowd is taken or refused");
  }
  // 2,500 for an address, in crowds of 1,000: the third is one too many, whatever connection brings it.
  expect(sent).toBe(3);
  for (const address of ["203.0.113.1", "192.0.2.9"]) {
    const { admitted } = relay.replica.counters;
    using newcomer = await RawClient.upgrade(relay.url, from(address));
    newcomer.send(update(updateOf(500_000 + address.length)));
    await until(() => relay.replica.counters.admitted === admitted + 1, "a newcomer has room");
  }
});

test("[RLY-16] what was tried and refused, or came too late, creates no document", async () => {
  const limits = { ...quick, limitLoopback: true, documentsPerAddressPerHour: 2 };
  await using relay = await startRelay(await memoryStore(), { limits });
  for (let room = 0; room < 5; room++) {
    using client = await RawClient.upgrade(relay.url, { path: `/odd-${room}` });
    client.send(update(Uint8Array.of(1, 1, 1, 0, 99)));
    expect(await client.closeCode()).toBe(4400);
  }
  expect(relay.relay.counters.documentsCreated).toBe(0);
  using ada = await RawClient.upgrade(relay.url, { path: "/notes" });
  ada.send(update(updateOf(1)));
  await until(() => relay.relay.counters.documentsCreated === 1, "hers is created");
});

test("[RLY-16] names that are none are refused, and odd ones are names", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: quick });
  const none = [
    "/",
    "/%00",
    "/%FF",
    "/a%0Ab",
    "/%ED%A0%80",
    `/${"x".repeat(129)}`,
    `/${"x/".repeat(5_000)}`,
  ];
  for (const name of none) {
    using client = await RawClient.upgrade(relay.url, { path: name });
    expect([name.slice(0, 20), await client.closeCode()]).toEqual([name.slice(0, 20), 4400]);
  }
  const odd = [
    "/..%2F..%2Fetc%2Fpasswd",
    "/__proto__",
    "/constructor",
    "/%20",
    "/a%20b",
    "/%E2%80%AE",
    "/CON",
  ];
  for (const name of odd) {
    using client = await RawClient.upgrade(relay.url, { path: name });
    client.send(step1(emptyVector));
    await until(() => client.receivedBytes > 6, `${name} is served`);
    expect(client.isClosed).toBe(false);
  }
});
