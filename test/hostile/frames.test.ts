import { expect, test } from "vitest";
import { WebSocket } from "ws";

import { memoryStore, startRelay, type RelayUnderTest } from "../integration/relay-under-test.ts";
import { connect, sleep, synced, until } from "../integration/stock-client.ts";
import { awarenessOf, update } from "./client-messages.ts";
import { clientFrame, RawClient } from "./raw-client.ts";

const quick = { refusalDelayMs: 10 };
const miB = 1024 * 1024;

function limited({ relay }: RelayUnderTest, limit: string): number {
  return (relay.counters.limited as Map<string, number>).get(limit) ?? 0;
}

/** The relay still serves; a process that died, or a room that hangs, would fail here. */
async function assertServing(relay: RelayUnderTest): Promise<void> {
  using ada = connect(relay.url, "other");
  using bo = connect(relay.url, "other");
  await Promise.all([synced(ada), synced(bo)]);
  ada.text.insert(0, "still here");
  await until(() => bo.text.toString().startsWith("still here"), "the others go on");
}

test.each([
  ["of a reserved kind", Uint8Array.of(0x83, 0x80, 0, 0, 0, 0)],
  ["with a reserved bit", Uint8Array.of(0xa2, 0x80, 0, 0, 0, 0)],
  ["compressed, though nobody agreed to", Uint8Array.of(0xc2, 0x80, 0, 0, 0, 0)],
  ["without a mask", Uint8Array.of(0x82, 0x04, 0, 0, 0, 0)],
  ["that continues nothing", Uint8Array.of(0x80, 0x80, 0, 0, 0, 0)],
  ["of text", clientFrame(Buffer.from("hello"), { head: 0x81 })],
  ["of text that is no UTF-8", clientFrame(Uint8Array.of(0xff, 0xfe), { head: 0x81 })],
])("[RLY-13] a frame %s closes its sender for good and nobody else", async (_, frame) => {
  await using relay = await startRelay(await memoryStore(), { limits: quick });
  using mallory = await RawClient.upgrade(relay.url);
  mallory.write(frame);
  expect(await mallory.closeCode()).toBe(4400);
  expect(relay.relay.counters.refused.get("HEDDLE_FRAME_MALFORMED")).toBe(1);
  await assertServing(relay);
});

test("[RLY-13] deflate is not agreed to, whatever is offered", async () => {
  await using relay = await startRelay(await memoryStore());
  using raw = await RawClient.upgrade(relay.url, {
    headers: { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" },
  });
  expect(raw.status).toBe(101);
  expect(raw.head.toLowerCase()).not.toContain("sec-websocket-extensions");
  const socket = new WebSocket(`${relay.url}/notes`, { perMessageDeflate: true });
  await new Promise((resolve) => {
    socket.once("open", resolve);
  });
  expect(socket.extensions).toBe("");
  socket.terminate();
});

test.each([17, 100, 100_000])(
  "[RLY-13] a message said to have %i MiB is refused before it is there, for good",
  async (claimedMiB) => {
    await using relay = await startRelay(await memoryStore(), { limits: quick });
    using mallory = await RawClient.upgrade(relay.url);
    mallory.write(clientFrame(new Uint8Array(100), { claimedLength: claimedMiB * miB }));
    expect(await mallory.closeCode()).toBe(4413);
    expect(relay.relay.counters.refused.get("HEDDLE_FRAME_TOO_LARGE")).toBe(1);
    await assertServing(relay);
  },
);

test("[RLY-13] a message in too many pieces is refused", async () => {
  const limits = { ...quick, fragmentsMax: 100 };
  await using relay = await startRelay(await memoryStore(), { limits });
  using mallory = await RawClient.upgrade(relay.url);
  const pieces = Array.from({ length: 200 }, (_, index) => {
    return clientFrame(Uint8Array.of(1), { head: index === 0 ? 0x02 : 0x00 });
  });
  mallory.write(Buffer.concat(pieces));
  expect(await mallory.closeCode()).toBe(4413);
});

test("[RLY-13] messages that nobody finishes share one budget, and whoever exceeds it goes", async () => {
  const limits = { ...quick, receiveBytesMax: 3 * miB };
  await using relay = await startRelay(await memoryStore(), { limits });
  const half = clientFrame(new Uint8Array(1.4 * miB), { claimedLength: 10 * miB });
  const senders = [];
  for (let count = 0; count < 2; count++) {
    const sender = await RawClient.upgrade(relay.url);
    sender.write(half);
    senders.push(sender);
  }
  await sleep(200);
  expect(senders.map(({ isClosed }) => isClosed)).toEqual([false, false]);
  using third = await RawClient.upgrade(relay.url);
  third.write(half);
  expect(await third.closeCode()).toBe(1013);
  expect(limited(relay, "receiveBytesMax")).toBe(1);
  for (const sender of senders) sender.socket.destroy();
  await until(() => relay.relay.connectionCount === 0, "they are gone, and their bytes with them");
  using next = await RawClient.upgrade(relay.url);
  next.write(half);
  await sleep(200);
  expect(next.isClosed).toBe(false);
});

test("[RLY-13] a message that trickles in is given up", async () => {
  const limits = { ...quick, stallMsMax: 500 };
  await using relay = await startRelay(await memoryStore(), { limits });
  using mallory = await RawClient.upgrade(relay.url);
  mallory.write(clientFrame(new Uint8Array(1), { claimedLength: miB }));
  const dripping = setInterval(() => mallory.write(Uint8Array.of(0)), 50);
  try {
    expect(await mallory.closeCode()).toBe(1013);
  } finally {
    clearInterval(dripping);
  }
  expect(limited(relay, "bytesPerSecondMin")).toBe(1);
});

test("[RLY-13] who sends too fast is read more slowly and loses nothing", async () => {
  const limits = {
    limitLoopback: true,
    bytesPerSecond: 200_000,
    bytesBurst: 100_000,
    upgradesPerAddressBurst: 100,
  };
  await using relay = await startRelay(await memoryStore(), { limits });
  using ada = connect(relay.url, "notes");
  await synced(ada);
  const startedMs = performance.now();
  for (let count = 0; count < 50; count++) ada.text.insert(0, "x".repeat(8_000));
  using bo = connect(relay.url, "notes");
  await until(() => bo.text.length === 400_000, "all of it arrives");
  expect(performance.now() - startedMs).toBeGreaterThan(1_000);
  expect(relay.relay.counters.readsPaused).toBeGreaterThan(0);
  expect(relay.relay.counters.refused.size).toBe(0);
});

test("[RLY-13] who floods with tiny frames beyond all measure is told to go", async () => {
  const limits = {
    ...quick,
    limitLoopback: true,
    messagesPerSecond: 10,
    messagesBurst: 100,
    rateDebtMsMax: 5_000,
  };
  await using relay = await startRelay(await memoryStore(), { limits });
  using mallory = await RawClient.upgrade(relay.url);
  const tiny = clientFrame(Uint8Array.of(99));
  mallory.write(Buffer.concat(Array.from({ length: 2_000 }, () => tiny)));
  expect(await mallory.closeCode()).toBe(1013);
  expect(limited(relay, "rateDebtMsMax")).toBe(1);
});

test("[RLY-13] a flood of pings by one who never reads ends with it", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: quick });
  using mallory = await RawClient.upgrade(relay.url);
  mallory.stopReading();
  const ping = clientFrame(new Uint8Array(125), { head: 0x89 });
  const thousand = Buffer.concat(Array.from({ length: 1_000 }, () => ping));
  for (let count = 0; count < 200 && !mallory.isClosed; count++) {
    mallory.write(thousand);
    await sleep(1);
  }
  await until(() => relay.relay.connectionCount === 0, "the relay has let go");
  await assertServing(relay);
});

test("[RLY-13] an update that is no update, and one behind bytes that are no message", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: quick });
  for (const message of [update(Uint8Array.of(1, 255)), awarenessOf(Uint8Array.of(9, 9))]) {
    using mallory = await RawClient.upgrade(relay.url);
    mallory.send(message);
    expect(await mallory.closeCode()).toBe(4400);
  }
  await assertServing(relay);
});

test("[RLY-13] a socket that went dead is noticed by its silence", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: { pingIntervalMs: 200 } });
  using dead = await RawClient.upgrade(relay.url);
  // It stays connected and never answers a ping.
  await dead.closed(3_000);
  expect(relay.relay.connectionCount).toBe(0);
});
