import { storeId } from "@heddle/core";
import { expect, test } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { decodeFrame } from "./frame.ts";
import { countingBytes } from "./frames.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, disconnect, exchange, pass } from "./memory-wire.fixture.ts";
import { NakCode } from "./nak-code.ts";

// Goal: what a peer refuses stands in nobody's way, is known after a restart, and is not sent unasked.

test("[WIR-19] a refused lane is kept with its reason while everything else drains, until it is tried again", async () => {
  const refused = await FixtureLane.open(1);
  const others = [
    await FixtureLane.open(4, refused.entry),
    await FixtureLane.open(5, testEntry("another")),
  ];
  const [writer, peer] = [new MemoryHost(1), new MemoryHost(2)];
  peer.refuses.add(refused.descriptor.id);
  connect(writer, peer, 1);
  for (const lane of [refused, ...others]) await writer.write(lane, 3);
  await exchange(writer, peer);
  await pass(writer, peer, 5_000);

  const refusal = {
    store: storeId(countingBytes(16, 2)),
    document: refused.entry.id,
    lane: refused.descriptor.id,
    seq: 1,
    code: NakCode.refused,
    reason: "",
  };
  expect(writer.events).toContainEqual({ name: "lane.refused", refusal });
  expect([...writer.disk.refusals.values()]).toEqual([refusal]);
  for (const { entry, descriptor } of others) {
    expect(peer.disk.documents.get(entry.id)!.vector.get(descriptor.id)!.seq).toBe(3);
  }
  expect(writer.replication.isSettled).toBe(true);
  disconnect(writer, peer, 1);

  const second = new MemoryHost(1, {}, writer.disk);
  second.nowMs = writer.nowMs;
  connect(second, peer, 2);
  await second.write(others[0]!, 1);
  let pushes = 0;
  const countPushes = (bytes: Uint8Array, from: MemoryHost) => {
    if (from === second && decodeFrame(bytes)!.name === "push") pushes++;
    return true;
  };
  await exchange(second, peer, countPushes);
  await pass(second, peer, 60_000, countPushes);
  expect(pushes).toBe(1);
  expect(second.replication.refusals).toEqual([refusal]);

  peer.refuses.clear();
  second.replication.retryRefused(refused.entry.id, refused.descriptor.id, second.nowMs);
  await exchange(second, peer);
  await pass(second, peer, 5_000);
  const { vector } = peer.disk.documents.get(refused.entry.id)!;
  expect(vector.get(refused.descriptor.id)!.seq).toBe(3);
  expect(second.disk.refusals.size).toBe(0);
});

test("[WIR-19] what is refused again after a retry is kept again", async () => {
  const lane = await FixtureLane.open(1);
  const [writer, peer] = [new MemoryHost(1), new MemoryHost(2)];
  peer.refuses.add(lane.descriptor.id);
  connect(writer, peer, 1);
  await writer.write(lane, 2);
  await exchange(writer, peer);
  writer.replication.retryRefused(lane.entry.id, lane.descriptor.id, 0);
  expect(writer.replication.refusals).toEqual([]);
  await exchange(writer, peer);
  expect(writer.replication.refusals).toHaveLength(1);
  expect(writer.events.filter(({ name }) => name === "lane.refused")).toHaveLength(2);
});
