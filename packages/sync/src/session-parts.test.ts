import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect } from "./memory-wire.fixture.ts";
import { decodeFrame } from "./frame.ts";
import { syncLimits } from "./sync-limits.ts";
import { wireLimits } from "./wire-limits.ts";

test("[WIR-5][WIR-7] of an edit larger than all credit, no more is sent at a time than there is credit for", async () => {
  const [writer, reader] = [new MemoryHost(1), new MemoryHost(2)];
  const lane = await FixtureLane.open(1);
  const size = 6 * 1024 * 1024;
  await writer.write(lane, 1, size);
  await writer.write(lane, 1);
  connect(writer, reader, 1);
  let atOnceMax = 0;
  const names: string[] = [];
  for (let round = 0; round < 200; round++) {
    await writer.drain();
    await reader.drain();
    const [sent, answers] = [writer.sent.splice(0), reader.sent.splice(0)];
    if (sent.length + answers.length === 0) break;
    const bytes = sent.reduce((sum, frame) => sum + frame.bytes.length, 0);
    atOnceMax = Math.max(atOnceMax, bytes);
    for (const frame of sent) {
      names.push(decodeFrame(frame.bytes)!.name);
      reader.replication.receive(frame.peer, frame.bytes, reader.nowMs);
    }
    for (const frame of answers) {
      writer.replication.receive(frame.peer, frame.bytes, writer.nowMs);
    }
  }
  expect(atOnceMax).toBeLessThan(syncLimits.creditBytes + 2 * wireLimits.frameBytesMax);
  expect(names.filter((name) => name === "part").length).toBeGreaterThan(24);
  // What came after it went behind it.
  expect(names.indexOf("push")).toBeGreaterThan(names.lastIndexOf("part"));
  expect(reader.disk.documents.get(lane.entry.id)?.log).toHaveLength(2);
  expect(reader.replication.heldBytes).toBe(0);
});
