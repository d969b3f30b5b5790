import { laneId } from "@heddle/core";
import { expect, test } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { HaveFlag } from "./frame-shapes.ts";
import { countingBytes } from "./frames.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";
import { pushOf, RawPeer } from "./raw-peer.fixture.ts";

// Goal: what a peer makes this replica hold has a bound, in whatever shape and at whatever moment it comes.

const mebibyte = 1024 * 1024;

function wasClosed(host: MemoryHost): boolean {
  return host.events.some(({ name }) => name === "session.closed");
}

test("[WIR-7] frames in parts are held within bounds while the disk is slow", async () => {
  const host = new MemoryHost(2);
  host.holdStores();
  const lane = await FixtureLane.open(66);
  const peer = await RawPeer.greet(host, 1, 66);
  peer.open(lane.entry, 0);
  peer.lane(lane, 0);
  await host.drain();
  let heldBytesMax = 0;
  for (let count = 1; count <= 30 && !wasClosed(host); count++) {
    peer.sendInParts(pushOf(lane, await lane.run(1, 0, mebibyte)), count);
    await host.drain();
    heldBytesMax = Math.max(heldBytesMax, host.replication.heldBytes);
  }
  expect(heldBytesMax).toBeGreaterThan(2 * mebibyte);
  expect(heldBytesMax).toBeLessThan(10 * mebibyte);
  expect(wasClosed(host)).toBe(true);
});

test("[WIR-7] an honest peer with large envelopes waits for a slow disk, and loses nothing", async () => {
  const lane = await FixtureLane.open(1);
  const [writer, reader] = [new MemoryHost(1), new MemoryHost(2)];
  const stores = reader.holdStores();
  connect(writer, reader, 1);
  for (let count = 0; count < 6; count++) await writer.write(lane, 1, 1.5 * mebibyte);
  const seqNow = () => {
    return reader.disk.documents.get(lane.entry.id)?.vector.get(lane.descriptor.id)?.seq;
  };
  for (let round = 0; round < 60 && seqNow() !== 6; round++) {
    await exchange(writer, reader);
    await pass(writer, reader, 1_000);
    for (const store of stores.splice(0)) store();
  }
  expect(seqNow()).toBe(6);
  expect([wasClosed(writer), wasClosed(reader)]).toEqual([false, false]);
  await pass(writer, reader, 3_000);
  for (const store of stores.splice(0)) store();
  expect(reader.replication.heldBytes).toBe(0);
});

test("[WIR-7] frames of documents that are still being read use up credit", async () => {
  const host = new MemoryHost(2);
  host.holdLoads();
  const lane = await FixtureLane.open(66);
  const peer = await RawPeer.greet(host, 1, 66);
  for (let ref = 0; ref < 20; ref++) peer.open(testEntry(`document ${ref}`), ref);
  const push = pushOf(lane, await lane.run(1, 0, 200_000));
  for (let count = 0; count < 40; count++) peer.send({ ...push, documentRef: count % 20 });
  await host.drain();
  expect(wasClosed(host)).toBe(true);
});

test("[WIR-7] frames without credit wait for documents within a bound, and are given up with them", async () => {
  const waitingBytesMax = 300_000;
  const host = new MemoryHost(2, { limits: { waitingBytesMax } });
  const loads = host.holdLoads();
  const peer = await RawPeer.greet(host, 1, 66);
  const positions = Array.from({ length: 1_000 }, (_, index) => {
    return { lane: laneId(countingBytes(16, index)), seq: 1, head: countingBytes(8) };
  });
  for (let ref = 0; ref < 4; ref++) peer.open(testEntry(`document ${ref}`), ref);
  for (let count = 0; count < 40; count++) peer.have(count % 4, positions, HaveFlag.more);
  expect(host.replication.counters.framesRefused).toBeGreaterThan(20);
  expect(host.replication.heldBytes).toBeGreaterThan(waitingBytesMax / 2);
  expect(host.replication.heldBytes).toBeLessThanOrEqual(waitingBytesMax);
  await host.drain();
  for (const load of loads) load();
  await host.drain();
  expect(wasClosed(host)).toBe(false);
  expect(host.replication.heldBytes).toBe(0);
});
