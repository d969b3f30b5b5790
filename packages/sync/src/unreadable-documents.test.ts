import { expect, test } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";

// Goal: a document that cannot be read at one moment is exchanged when it can be, on the same session.

const seqAt = (host: MemoryHost, { entry, descriptor }: FixtureLane): number => {
  return host.disk.documents.get(entry.id)?.vector.get(descriptor.id)?.seq ?? 0;
};

test("[WIR-8] what a peer opened while it could not be read here is exchanged once it can be", async () => {
  const lanes = [await FixtureLane.open(1), await FixtureLane.open(4, testEntry("another"))];
  const [writer, peer] = [new MemoryHost(1), new MemoryHost(2)];
  const [lane, other] = lanes as [FixtureLane, FixtureLane];
  peer.unreadable.add(lane.entry.id);
  connect(writer, peer, 1);
  for (const each of lanes) await writer.write(each, 3);
  await exchange(writer, peer);
  await pass(writer, peer, 60_000);
  expect(seqAt(peer, other)).toBe(3);
  expect(seqAt(peer, lane)).toBe(0);
  expect(peer.replication.counters.documentsUnreadable).toBeGreaterThan(1);

  peer.unreadable.clear();
  await pass(writer, peer, 60_000);
  expect(seqAt(peer, lane)).toBe(3);
});

test("[WIR-8] two that write a document at one moment, which one cannot read then, have all of it", async () => {
  const here = await FixtureLane.open(1);
  const there = await FixtureLane.open(4, here.entry);
  const [first, second] = [new MemoryHost(1), new MemoryHost(2)];
  connect(first, second, 1);
  await exchange(first, second);
  second.unreadable.add(here.entry.id);
  await first.write(here, 1);
  await exchange(first, second);
  second.unreadable.clear();
  await second.write(there, 1);
  await exchange(first, second);
  await pass(first, second, 60_000);
  expect([seqAt(second, here), seqAt(first, there)]).toEqual([1, 1]);
});

test("[WIR-8] what could not be read when a follower came is brought when it can be, and then it has everything", async () => {
  const lanes = [await FixtureLane.open(1), await FixtureLane.open(4, testEntry("another"))];
  const [writer, follower] = [new MemoryHost(1), new MemoryHost(2)];
  const [lane, other] = lanes as [FixtureLane, FixtureLane];
  for (const each of lanes) await writer.write(each, 3);
  writer.unreadable.add(lane.entry.id);
  connect(writer, follower, 1);
  await exchange(writer, follower);
  await pass(writer, follower, 60_000);
  expect([seqAt(follower, other), seqAt(follower, lane)]).toEqual([3, 0]);
  expect(follower.disk.cursors.size).toBe(0);

  writer.unreadable.clear();
  await pass(writer, follower, 60_000);
  expect(seqAt(follower, lane)).toBe(3);
  expect(follower.disk.cursors.size).toBe(1);
});
