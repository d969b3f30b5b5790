import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { decodeFrame } from "./frame.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";

// Goal: while somebody writes without a pause, what answers it costs little, and is there when it is needed.

async function connected() {
  const lane = await FixtureLane.open(1);
  const [writer, reader] = [new MemoryHost(1), new MemoryHost(2)];
  connect(writer, reader, 1);
  await exchange(writer, reader);
  const count = { ack: 0, mark: 0 };
  const passes = (bytes: Uint8Array): boolean => {
    const name = decodeFrame(bytes.slice())?.name;
    if (name === "ack" || name === "mark") count[name]++;
    return true;
  };
  const missing = () => writer.replication.missingAt(1).get(lane.entry.id) ?? 0;
  return { lane, writer, reader, count, passes, missing };
}

test("[WIR-9] the first acknowledgement comes at once, the others together within a second", async () => {
  const { lane, writer, reader, count, passes, missing } = await connected();
  for (let edit = 0; edit < 5; edit++) {
    await writer.write(lane, 1);
    await exchange(writer, reader, passes);
    expect(count.ack).toBe(1);
    expect(missing()).toBe(edit);
  }
  await pass(writer, reader, 1_000, passes, 200);
  expect(count.ack).toBe(2);
  expect(missing()).toBe(0);
});

test("[WIR-9] whoever waits for an acknowledgement gets it at once", async () => {
  const { lane, writer, reader, passes, missing } = await connected();
  const { id } = lane.entry;
  await writer.write(lane, 1);
  await exchange(writer, reader, passes);
  await writer.write(lane, 1);
  await exchange(writer, reader, passes);
  expect(missing()).toBe(1);
  // What was sent before, and what is sent while somebody waits.
  writer.replication.setAwaited(id, true, writer.nowMs);
  await exchange(writer, reader, passes);
  expect(missing()).toBe(0);
  await writer.write(lane, 1);
  await exchange(writer, reader, passes);
  expect(missing()).toBe(0);
  writer.replication.setAwaited(id, false, writer.nowMs);
  await writer.write(lane, 1);
  await exchange(writer, reader, passes);
  expect(missing()).toBe(1);
});

test("[WIR-20] a follower hears where it stands when there is a pause, and now and then without one", async () => {
  const { lane, writer, reader, count, passes } = await connected();
  for (let edit = 0; edit < 100; edit++) {
    await writer.write(lane, 1);
    await pass(writer, reader, 600, passes, 200);
  }
  // Both sides follow each other: one each at the beginning, and one every 30 of 60 seconds.
  expect(count.mark).toBeGreaterThanOrEqual(2);
  expect(count.mark).toBeLessThanOrEqual(8);
  await pass(writer, reader, 4_000, passes, 200);
  const { arrival } = [...reader.disk.cursors.values()][0]!;
  expect(arrival).toBe(writer.disk.arrivals);
});
