import { expect, test } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, disconnect, exchange, pass } from "./memory-wire.fixture.ts";

// Goal: what a peer invents is bounded where the host says so, and what is refused now comes when it may.

function seqAt(host: MemoryHost, { entry, descriptor }: FixtureLane): number {
  return host.disk.documents.get(entry.id)?.vector.get(descriptor.id)?.seq ?? 0;
}

test("[WIR-21] documents that are new here come as far as the host lets them, the others later", async () => {
  const asked: number[] = [];
  let room = 2;
  const mayOpenNew = (peer: number): boolean => {
    asked.push(peer);
    return room-- > 0;
  };
  const [writer, peer] = [new MemoryHost(1), new MemoryHost(2, { mayOpenNew })];
  const names = ["a", "b", "c", "d"];
  const lanes = await Promise.all(names.map((name) => FixtureLane.open(1, testEntry(name))));
  connect(writer, peer, 7);
  for (const lane of lanes) await writer.write(lane, 2);
  await exchange(writer, peer);
  const stored = () => lanes.filter((lane) => seqAt(peer, lane) === 2).length;
  expect(stored()).toBe(2);
  expect(new Set(asked)).toEqual(new Set([7]));
  await pass(writer, peer, 60_000);
  expect(stored()).toBe(2);
  expect(peer.replication.counters.documentsPutOff).toBeGreaterThanOrEqual(4);
  expect(peer.replication.documentCount).toBe(2);

  room = 10;
  await pass(writer, peer, 60_000);
  expect(stored()).toBe(4);
  // What is here already is nothing new, on whatever connection.
  room = 0;
  disconnect(writer, peer, 7);
  asked.splice(0);
  connect(writer, peer, 8);
  await writer.write(lanes[0]!, 1);
  await exchange(writer, peer);
  await pass(writer, peer, 5_000);
  expect([seqAt(peer, lanes[0]!), asked]).toEqual([3, []]);
});

test("[WIR-21] a document that this replica wants is no news, whoever opens it first", async () => {
  const lane = await FixtureLane.open(1);
  const [writer, peer] = [new MemoryHost(1), new MemoryHost(2, { mayOpenNew: () => false })];
  peer.replication.want(lane.entry, 0);
  connect(writer, peer, 1);
  await writer.write(lane, 1);
  await exchange(writer, peer);
  await pass(writer, peer, 5_000);
  expect(seqAt(peer, lane)).toBe(1);
});

test("[WIR-21] cursors of more stores than the bound are not kept, and documents are compared all the same", async () => {
  const peer = new MemoryHost(2, { limits: { cursorsMax: 2 } });
  const lanes: FixtureLane[] = [];
  for (const seed of [11, 12, 13, 14]) {
    const stranger = new MemoryHost(seed);
    const lane = await FixtureLane.open(seed, testEntry(`of ${seed}`));
    lanes.push(lane);
    connect(stranger, peer, seed);
    await stranger.write(lane, 1);
    await exchange(stranger, peer);
    await pass(stranger, peer, 3_000);
    disconnect(stranger, peer, seed);
  }
  expect(lanes.map((lane) => seqAt(peer, lane))).toEqual([1, 1, 1, 1]);
  expect(peer.disk.cursors.size).toBe(2);
  expect(peer.replication.counters.cursorsDropped).toBeGreaterThanOrEqual(2);
});
