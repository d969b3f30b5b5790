import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { decodeFrame } from "./frame.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, disconnect, exchange, pass } from "./memory-wire.fixture.ts";

// Goal: a fork is news to who follows, although the document has not changed otherwise and is not open.

test("[WIR-12] who follows and has not opened a document is told when a lane of it turns out forked", async () => {
  const [lane, twin] = [await FixtureLane.open(9), await FixtureLane.open(9)];
  const [hub, follower, clone] = [new MemoryHost(1), new MemoryHost(2), new MemoryHost(3)];
  await hub.write(lane, 2);
  connect(hub, follower, 1);
  await exchange(hub, follower);
  await pass(hub, follower, 5_000);
  disconnect(hub, follower, 1);
  await pass(hub, follower, 5_000);
  // It comes back with its cursor: nothing has changed, and nothing is opened.
  const again = new MemoryHost(2, {}, follower.disk);
  again.nowMs = follower.nowMs;
  connect(hub, again, 2);
  await exchange(hub, again);
  await pass(hub, again, 5_000);
  expect(hub.replication.documentCount).toBe(0);

  // The lane's other history, on the disk of somebody else.
  clone.nowMs = hub.nowMs;
  clone.disk.lanes.set(twin.descriptor.id, twin.descriptor);
  clone.disk.add(twin.entry, await twin.run(2, 7));
  connect(hub, clone, 3);
  let opened = 0;
  await pass(hub, clone, 10_000, (bytes, from) => {
    if (from === hub && decodeFrame(bytes.slice())?.name === "open") opened++;
    return true;
  });
  expect(hub.events.filter(({ name }) => name === "lane.forked")).toHaveLength(1);
  // For the clone, and for who follows; its frames do not reach it here, so they are said again.
  const toFollower = hub.replication.missingAt(2);
  expect(toFollower.size).toBe(0);
  expect(opened).toBeGreaterThan(1);
});
