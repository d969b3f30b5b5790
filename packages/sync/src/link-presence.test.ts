import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { decodeFrame } from "./frame.ts";
import { countingBytes } from "./frames.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange } from "./memory-wire.fixture.ts";
import { syncLimits } from "./sync-limits.ts";

// Goal: presence never overtakes what was on disk before it, and is never held without bound.

async function settledPair(limits = {}): Promise<[MemoryHost, MemoryHost, FixtureLane]> {
  const lane = await FixtureLane.open(1);
  const [writer, reader] = [new MemoryHost(1, { limits }), new MemoryHost(2, { limits })];
  connect(writer, reader, 1);
  await writer.write(lane, 3);
  await exchange(writer, reader);
  for (const host of [writer, reader]) host.events.splice(0);
  return [writer, reader, lane];
}

function namesOf(host: MemoryHost): string[] {
  return host.sent.map(({ bytes }) => decodeFrame(bytes)!.name);
}

function shownAt(host: MemoryHost): number[] {
  return host.events.flatMap((event) => (event.name === "ephemeral" ? [event.payload[0]!] : []));
}

function say(host: MemoryHost, lane: FixtureLane, byte: number, length = 1): void {
  const payload = new Uint8Array(length).fill(byte);
  host.replication.sendEphemeral(lane.entry.id, payload, host.nowMs);
}

test("[RLY-6] presence goes behind what was on disk before it, and is not held up by what comes later", async () => {
  const [writer, , lane] = await settledPair();
  await writer.write(lane, 1);
  say(writer, lane, 1);
  expect(namesOf(writer)).toEqual([]);
  await writer.drain();
  expect(namesOf(writer)).toEqual(["push", "ephemeral"]);
  say(writer, lane, 2);
  await writer.write(lane, 1);
  await writer.drain();
  expect(namesOf(writer).slice(2)).toEqual(["ephemeral", "push"]);
});

test("[RLY-6] presence is shown when what came before it is stored", async () => {
  const [writer, reader, lane] = await settledPair();
  const stores = reader.holdStores();
  await writer.write(lane, 1);
  say(writer, lane, 1);
  await exchange(writer, reader);
  expect(stores).toHaveLength(1);
  expect(shownAt(reader)).toEqual([]);
  expect(reader.replication.heldBytes).toBeGreaterThan(0);
  for (const store of stores.splice(0)) store();
  await exchange(writer, reader);
  expect(shownAt(reader)).toEqual([1]);
  expect(reader.events.map(({ name }) => name)).toEqual(["document.received", "ephemeral"]);
  expect(reader.replication.heldBytes).toBe(0);
});

test("[WIR-7] of presence that waits to be shown, what finds no room is dropped and counted", async () => {
  const [writer, reader, lane] = await settledPair({ ephemeralsHeldMax: 2 });
  const stores = reader.holdStores();
  await writer.write(lane, 1);
  for (const byte of [1, 2, 3]) say(writer, lane, byte);
  await exchange(writer, reader);
  for (const store of stores.splice(0)) store();
  await exchange(writer, reader);
  expect(shownAt(reader)).toEqual([1, 2]);
  expect(reader.replication.counters.ephemeralDropped).toBe(1);
});

test("[RLY-6] behind a gap presence is dropped and counted", async () => {
  const [writer, reader, lane] = await settledPair();
  await writer.write(lane, 1);
  let pushes = 0;
  const isLost = (bytes: Uint8Array) => decodeFrame(bytes)?.name === "push" && ++pushes === 1;
  await writer.drain();
  const lost = writer.sent.splice(0);
  expect(lost.map(({ bytes }) => isLost(bytes))).toEqual([true]);
  await writer.write(lane, 1);
  say(writer, lane, 1);
  await writer.drain();
  for (const { peer, bytes } of writer.sent.splice(0)) {
    reader.replication.receive(peer, bytes, reader.nowMs);
  }
  await reader.drain();
  expect(shownAt(reader)).toEqual([]);
  expect(reader.replication.counters.ephemeralDropped).toBe(1);
});

test("[WIR-7] what waits for too long is dropped as a whole, and all of it is asked for when there is room", async () => {
  const [writer, reader, lane] = await settledPair();
  await writer.write(lane, 1);
  for (let count = 0; count <= syncLimits.ephemeralsWaitingMax; count++) say(writer, lane, 1);
  say(writer, lane, 2);
  expect(writer.replication.counters.ephemeralDropped).toBe(syncLimits.ephemeralsWaitingMax + 2);
  await exchange(writer, reader);
  expect(shownAt(reader)).toEqual([]);
  const document = lane.entry.id;
  expect(writer.events[0]).toEqual({ name: "presence.due", peer: 1, document });
  say(writer, lane, 3);
  await exchange(writer, reader);
  expect(shownAt(reader)).toEqual([3]);
});

test("[WIR-7] without credit presence waits, and no more of it than is allowed", async () => {
  const [writer, reader, lane] = await settledPair({ creditBytes: 32 * 1024 });
  const stores = reader.holdStores();
  await writer.write(lane, 1);
  for (let byte = 1; byte <= 3; byte++) say(writer, lane, byte, 20_000);
  await exchange(writer, reader);
  expect(reader.replication.counters.ephemeralsReceived).toBe(2);
  for (const store of stores.splice(0)) store();
  await exchange(writer, reader);
  expect(shownAt(reader)).toEqual([1, 2, 3]);
});

test("[RLY-18] a peer that opens a document is told of everybody once it has the log", async () => {
  const [writer, reader, lane] = await settledPair();
  const third = new MemoryHost(3);
  connect(writer, third, 2);
  await exchange(writer, third);
  const document = lane.entry.id;
  expect(writer.events).toContainEqual({ name: "presence.due", peer: 2, document });
  writer.replication.sendEphemeral(document, countingBytes(3), writer.nowMs, { only: 2 });
  writer.replication.sendEphemeral(document, countingBytes(4), writer.nowMs, { except: 2 });
  await writer.drain();
  expect(writer.sent.map(({ peer, bytes }) => [peer, decodeFrame(bytes)!.name])).toEqual([
    [2, "ephemeral"],
    [1, "ephemeral"],
  ]);
  expect(reader.replication.hasFailed).toBe(false);
});

test("a document that is wanted no more is not opened with who comes later", async () => {
  const lane = await FixtureLane.open(1);
  const [a, b] = [new MemoryHost(1, { follow: false }), new MemoryHost(2, { follow: false })];
  a.replication.want(lane.entry, 0);
  a.replication.unwant(lane.entry.id);
  connect(a, b, 1);
  await exchange(a, b);
  expect([a, b].map(({ replication }) => replication.documentCount)).toEqual([0, 0]);
});
