import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";

test("[WIR-13] a document that a peer does not take is offered to it seldom, and taken once it wants it", async () => {
  const lane = await FixtureLane.open(1);
  const writer = new MemoryHost(1);
  const peer = new MemoryHost(2, { adopt: false, follow: false });
  connect(writer, peer, 1);
  await writer.write(lane, 3);
  await exchange(writer, peer);
  writer.replication.want(lane.entry, writer.nowMs);
  await exchange(writer, peer);
  const before = writer.replication.counters.framesSent;
  await pass(writer, peer, 60_000);
  // An OPEN and a HAVE each time, some pings, and two at once at the beginning.
  expect(writer.replication.counters.framesSent - before).toBeLessThan(60);
  expect(peer.disk.documents.has(lane.entry.id)).toBe(false);
  peer.replication.want(lane.entry, peer.nowMs);
  await exchange(writer, peer);
  await pass(writer, peer, 60_000);
  expect(peer.disk.documents.get(lane.entry.id)!.log).toHaveLength(3);
});
