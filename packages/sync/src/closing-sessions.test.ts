import { expect, test } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, disconnect, exchange, pass } from "./memory-wire.fixture.ts";
import { RawPeer } from "./raw-peer.fixture.ts";

// Goal: what a session began and did not live to see leaves nothing behind.

test("[WIR-21] documents whose session ends while they are read do not stay in memory", async () => {
  const host = new MemoryHost(2);
  const loads = host.holdLoads();
  const peer = await RawPeer.greet(host, 1, 66);
  for (let index = 0; index < 50; index++) {
    peer.open(testEntry(`document ${index}`), index);
  }
  await host.drain();
  expect(loads).toHaveLength(50);
  host.replication.disconnected(1, host.nowMs);
  for (const load of loads) load();
  await host.drain();
  host.replication.tick((host.nowMs += 1_000));
  expect(host.replication.documentCount).toBe(0);
});

test("[WIR-21] documents beyond what a session may have do not stay in memory with it", async () => {
  const limits = { documentsPerSessionMax: 3 };
  const [writer, peer] = [new MemoryHost(1, { limits }), new MemoryHost(2)];
  for (let index = 0; index < 8; index++) {
    await writer.write(await FixtureLane.open(index + 1, testEntry(`document ${index}`)), 1);
  }
  connect(writer, peer, 1);
  await exchange(writer, peer);
  await pass(writer, peer, 3_000);
  expect(peer.disk.documents.size).toBe(3);
  expect(writer.replication.documentCount).toBe(3);
  disconnect(writer, peer, 1);
  for (const host of [writer, peer]) host.replication.tick((host.nowMs += 1_000));
  expect([writer, peer].map(({ replication }) => replication.documentCount)).toEqual([0, 0]);
});

test("[WIR-8] a document that is wanted and could not be read is exchanged once it can be", async () => {
  const lane = await FixtureLane.open(1);
  // The peer does not open it by itself, and takes it.
  const [writer, peer] = [new MemoryHost(1), new MemoryHost(2, { follow: false })];
  await writer.write(lane, 2);
  writer.unreadable.add(lane.entry.id);
  writer.replication.want(lane.entry, 0);
  connect(writer, peer, 1);
  await exchange(writer, peer);
  await pass(writer, peer, 10_000);
  writer.unreadable.clear();
  await pass(writer, peer, 60_000);
  expect(peer.disk.documents.get(lane.entry.id)?.log).toHaveLength(2);
});
