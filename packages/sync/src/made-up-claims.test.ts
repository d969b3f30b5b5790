import { laneId, storeId } from "@heddle/core";
import { expect, test } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { countingBytes } from "./frames.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";
import { pushOf, RawPeer } from "./raw-peer.fixture.ts";

// Goal: what one peer makes up costs bounded memory, and others nothing.

const wasClosed = (host: MemoryHost) => host.events.some(({ name }) => name === "session.closed");

/** So many lanes that nobody has ever opened. */
function inventedPositions(count: number, label: number) {
  return Array.from({ length: count }, (_, index) => {
    const id = countingBytes(16, label);
    new DataView(id.buffer).setUint32(0, index);
    return { lane: laneId(id), seq: 7, head: countingBytes(8) };
  });
}

test("[WIR-21] a peer that says it has lanes without end makes nobody remember them all", async () => {
  const claimsPerSessionMax = 2_500;
  const host = new MemoryHost(2, { limits: { claimsPerSessionMax } });
  const peer = await RawPeer.greet(host, 9, 66);
  for (let ref = 0; ref < 10; ref++) {
    peer.open(testEntry(`document ${ref}`), ref);
    await host.drain();
    peer.have(ref, inventedPositions(1_000, ref));
  }
  expect(host.replication.counters.framesRefused).toBe(8);
  expect(wasClosed(host)).toBe(false);
});

test("[WIR-8] documents that are too many to be claimed at once are exchanged one after the other", async () => {
  const lanes = Array.from({ length: 8 }, (_, index) => {
    return FixtureLane.open(index + 1, testEntry(`document ${index}`));
  });
  const writer = new MemoryHost(1);
  const reader = new MemoryHost(2, { limits: { claimsPerSessionMax: 2 } });
  for (const lane of await Promise.all(lanes)) await writer.write(lane, 2);
  connect(writer, reader, 1);
  await exchange(writer, reader);
  await pass(writer, reader, 30_000);
  expect(reader.replication.counters.framesRefused).toBeGreaterThan(0);
  expect([...reader.disk.documents.values()].map(({ log }) => log.length)).toEqual(
    Array.from({ length: 8 }, () => 2),
  );
});

test("[RLY-6] a gap that one peer shows, or makes up, does not hide who is here at another", async () => {
  const lane = await FixtureLane.open(1);
  const [writer, reader] = [new MemoryHost(1), new MemoryHost(2)];
  connect(writer, reader, 1);
  await writer.write(lane, 1);
  await exchange(writer, reader);
  const hostile = await RawPeer.greet(reader, 9, 66);
  const own = await FixtureLane.open(66);
  const [, , third] = await own.run(3);
  hostile.open(lane.entry, 0);
  await reader.drain();
  hostile.lane(own, 0);
  hostile.send(pushOf(own, [third!]));
  await reader.drain();
  expect(reader.replication.counters.gaps).toBe(1);
  hostile.send({ name: "ephemeral", documentRef: 0, payload: countingBytes(3, 66) });
  writer.replication.sendEphemeral(lane.entry.id, countingBytes(3, 1), writer.nowMs);
  await exchange(writer, reader);
  const shown = reader.events.filter(({ name }) => name === "ephemeral");
  expect(shown).toMatchObject([{ peer: 1, payload: countingBytes(3, 1) }]);
});

test("[WIR-21] stores that were made up for one session are forgotten with it", async () => {
  const lane = await FixtureLane.open(1);
  const [writer, peer] = [new MemoryHost(1), new MemoryHost(2)];
  connect(writer, peer, 1);
  await writer.write(lane, 1);
  await exchange(writer, peer);
  await pass(writer, peer, 3_000);
  for (let count = 0; count < 20; count++) {
    const changes = { store: storeId(countingBytes(16, 100 + count)) };
    await RawPeer.greet(writer, 10 + count, 66, changes);
    expect(writer.replication.storeCount).toBe(2);
    writer.replication.disconnected(10 + count, writer.nowMs);
    await writer.drain();
  }
  expect(writer.replication.storeCount).toBe(1);
  expect(writer.replication.replicatedBy(lane.entry.id, lane.descriptor.id, 1).stores).toBe(1);
});
