import { networkInterfaces } from "node:os";

import { expect, test } from "vitest";

import { memoryStore, startRelay } from "../integration/relay-under-test.ts";
import { connect, synced, until } from "../integration/stock-client.ts";
import { from, RawClient } from "./raw-client.ts";

const counted = (relay: { relay: { counters: { limited: Map<string, number> } } }, limit: string) =>
  relay.relay.counters.limited.get(limit) ?? 0;

test("[RLY-11] who connects and says nothing, or says it a byte at a time, is cut off", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: { upgradeMsMax: 500 } });
  const silent = await Promise.all(Array.from({ length: 50 }, () => RawClient.dial(relay.url)));
  using slow = await RawClient.dial(relay.url);
  const text = "GET /notes HTTP/1.1\r\nHost: relay.test\r\nX-Padding: ";
  const dripping = setInterval(() => slow.write(text[slow.socket.bytesWritten] ?? "a"), 20);
  try {
    expect(await slow.answered(5_000)).toBe(408);
    await slow.closed();
    for (const client of silent) await client.closed(5_000);
  } finally {
    clearInterval(dripping);
  }
  expect(counted(relay, "upgradeMsMax")).toBeGreaterThanOrEqual(51);
});

test("[RLY-11] too long and too many headers are refused before there is a connection", async () => {
  await using relay = await startRelay(await memoryStore());
  const long = await RawClient.upgrade(relay.url, { headers: { "X-Long": "x".repeat(20_000) } });
  expect(long.status).toBe(431);
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`X-${n}`, "1"]));
  expect((await RawClient.upgrade(relay.url, { headers: many })).status).toBe(431);
  const odd = await RawClient.dial(relay.url);
  odd.write("\u0000\u0001\u0002 nonsense\r\n\r\n");
  expect(await odd.answered()).toBe(400);
  expect(counted(relay, "headerBytesMax")).toBe(1);
  expect(counted(relay, "headersMax")).toBe(1);
  expect(relay.relay.counters.upgradesRefused).toBe(3);
  expect(relay.relay.connectionCount).toBe(0);
});

test("[RLY-11] one address has so many connections, and its next one fits when one leaves", async () => {
  const limits = { limitLoopback: true, connectionsPerAddressMax: 3, upgradesPerAddressBurst: 100 };
  await using relay = await startRelay(await memoryStore(), { limits });
  const held = [];
  for (let count = 0; count < 3; count++) held.push(await RawClient.upgrade(relay.url));
  expect(held.map(({ status }) => status)).toEqual([101, 101, 101]);
  const refused = await RawClient.upgrade(relay.url);
  expect([refused.status, refused.head.includes("Retry-After: 5")]).toEqual([429, true]);
  held[0]!.socket.destroy();
  await until(() => relay.relay.connectionCount === 2, "one has left");
  using next = await RawClient.upgrade(relay.url);
  expect(next.status).toBe(101);
  for (const client of held) client.socket.destroy();
});

/** Of this machine, as others see it; where it has none there are still those of a proxy, below. */
const ownAddresses = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .filter(({ family, internal }) => family === "IPv4" && !internal)
  .map(({ address }) => ({ address, isBounded: true }));

test.each([{ address: "127.0.0.1", isBounded: false }, ...ownAddresses.slice(0, 1)])(
  "[RLY-11] bounds of an address hold for $address: $isBounded",
  async ({ address, isBounded }) => {
    await using relay = await startRelay(await memoryStore(), {
      host: "0.0.0.0",
      access: { open: true },
      limits: { refusalDelayMs: 10, connectionsPerAddressMax: 2, documentsPerAddressPerHour: 1 },
    });
    const url = `ws://${address}:${relay.relay.port}`;
    const held = [];
    for (let count = 0; count < 3; count++) held.push(await RawClient.upgrade(url));
    expect(held.map(({ status }) => status)).toEqual([101, 101, isBounded ? 429 : 101]);
    // Sockets that say nothing at all are bounded too, twice as many.
    const silent = await Promise.all(Array.from({ length: 8 }, () => RawClient.dial(url)));
    const { limited } = relay.relay.counters;
    const cutOff = isBounded ? 1 + 8 - 2 : 0;
    const reached = (): number => limited.get("connectionsPerAddressMax") ?? 0;
    await until(() => reached() >= cutOff, "those too many are cut off");
    expect(reached()).toBe(cutOff);
    for (const client of [...held, ...silent]) client.socket.destroy();
  },
);

test("[RLY-11] behind a proxy every client has bounds of its own, and its word for its address counts for nothing", async () => {
  const limits = { connectionsPerAddressMax: 2 };
  await using relay = await startRelay(await memoryStore(), { limits, trustProxy: true });
  const clients: RawClient[] = [];
  const statusOf = async (forwarded: string): Promise<number> => {
    clients.push(await RawClient.upgrade(relay.url, from(forwarded)));
    return clients.at(-1)!.status;
  };
  const visits = ["203.0.113.1", "203.0.113.1", "198.51.100.7", "1.2.3.4, 203.0.113.1"];
  const statuses: number[] = [];
  for (const forwarded of visits) statuses.push(await statusOf(forwarded));
  expect(statuses).toEqual([101, 101, 101, 429]);
  // A whole IPv6 network is one.
  statuses.length = 0;
  for (const host of ["1", "2:3", "ffff"]) statuses.push(await statusOf(`2001:db8:0:1::${host}`));
  expect([...statuses, await statusOf("2001:db8:0:2::1")]).toEqual([101, 101, 429, 101]);
  for (const client of clients) client.socket.destroy();
});

test("[RLY-11] one address knocks so often a second, and again when time has passed", async () => {
  const limits = {
    limitLoopback: true,
    upgradesPerAddressPerSecond: 2,
    upgradesPerAddressBurst: 5,
  };
  await using relay = await startRelay(await memoryStore(), { limits });
  const statuses = [];
  for (let count = 0; count < 20; count++) {
    const client = await RawClient.upgrade(relay.url);
    statuses.push(client.status);
    client.socket.destroy();
  }
  expect(statuses.slice(0, 5)).toEqual([101, 101, 101, 101, 101]);
  expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(5);
  const knock = async (): Promise<number> => {
    using later = await RawClient.upgrade(relay.url);
    return later.status;
  };
  await expect.poll(knock, { timeout: 60_000, interval: 600 }).toBe(101);
});

test("[RLY-11] on the same machine nobody is counted by address unless asked for", async () => {
  const limits = { connectionsPerAddressMax: 2, upgradesPerAddressBurst: 1 };
  await using relay = await startRelay(await memoryStore(), { limits });
  const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.upgrade(relay.url)));
  expect(new Set(clients.map(({ status }) => status))).toEqual(new Set([101]));
  for (const client of clients) client.socket.destroy();
});

test("[RLY-11] behind a proxy it is the client's address that counts, and not what it claims", async () => {
  const limits = { connectionsPerAddressMax: 1 };
  await using relay = await startRelay(await memoryStore(), { limits, trustProxy: true });
  const from = (hops: string): Promise<RawClient> =>
    RawClient.upgrade(relay.url, { headers: { "X-Forwarded-For": hops } });
  using ada = await from("203.0.113.1");
  using again = await from("198.51.100.9, 203.0.113.1");
  using bo = await from("203.0.113.1, 203.0.113.2");
  expect([ada.status, again.status, bo.status]).toEqual([101, 429, 101]);
});

test("[RLY-11] the whole process has so many sockets, and no more", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: { connectionsMax: 5 } });
  const clients = [];
  for (let count = 0; count < 8; count++) clients.push(await RawClient.upgrade(relay.url));
  expect(clients.map(({ status }) => status)).toEqual([101, 101, 101, 101, 101, 0, 0, 0]);
  expect(counted(relay, "connectionsMax")).toBe(3);
  for (const client of clients) client.socket.destroy();
});

test("[RLY-11] 10,000 upgrades come and go, a client in between notices nothing", async () => {
  await using relay = await startRelay(await memoryStore());
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  const waits: number[] = [];
  const rounds = 100;
  for (let round = 0; round < rounds; round++) {
    const storm = Array.from({ length: 100 }, async () => {
      const client = await RawClient.upgrade(relay.url);
      client.socket.destroy();
      return client.status;
    });
    const startedMs = performance.now();
    ada.text.insert(ada.text.length, ".");
    await until(() => bo.text.length > round, "the edit arrives in the storm");
    waits.push(performance.now() - startedMs);
    expect(new Set(await Promise.all(storm))).toEqual(new Set([101]));
  }
  await until(() => relay.relay.connectionCount === 2, "the others have gone");
  expect(relay.relay.counters.connectionsAccepted).toBe(rounds * 100 + 2);
  const median = waits.toSorted((a, b) => a - b)[rounds / 2]!;
  console.info(`10,000 upgrades: an edit took ${median.toFixed(0)} ms in the median`);
  expect(median).toBeLessThan(1_000);
});
