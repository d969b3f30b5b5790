import { expect, test, vi } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { LinkPresence } from "./link-presence.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange } from "./memory-wire.fixture.ts";

// Goal: what a frame costs does not grow with how many documents are open. Of 3,000 that an application had
// opened, each frame looked at the presence of all: their first sync took longer than a peer waits.

test("a frame of one document does not make the presence of all others be looked at", async () => {
  const documents = 40;
  const [writer, reader] = [new MemoryHost(1), new MemoryHost(2)];
  for (let index = 0; index < documents; index++) {
    const lane = await FixtureLane.open(1, testEntry(`note ${index}`));
    await writer.write(lane, 1);
    writer.replication.want(lane.entry, 0);
  }
  const flush = vi.spyOn(LinkPresence.prototype, "flush");
  connect(writer, reader, 1);
  await exchange(writer, reader);
  expect(reader.disk.documents.size).toBe(documents);
  const due = writer.events.filter(({ name }) => name === "presence.due");
  expect(due).toHaveLength(documents);
  // On both sides together: a few times for each document, whatever came in between.
  expect(flush.mock.calls.length).toBeLessThan(documents * 20);
  flush.mockRestore();
});
