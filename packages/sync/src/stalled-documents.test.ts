import { expect, test } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";

// Goal: documents with which nothing comes of it keep no others waiting, and take no more memory with time.

const seqAt = (host: MemoryHost, { entry, descriptor }: FixtureLane): number => {
  return host.disk.documents.get(entry.id)?.vector.get(descriptor.id)?.seq ?? 0;
};

/** A writer with many documents that are new to everybody, and at last one that is not. */
async function manyRefused(count: number): Promise<{ writer: MemoryHost; last: FixtureLane }> {
  const writer = new MemoryHost(1, { follow: false });
  for (let index = 0; index < count; index++) {
    await writer.write(await FixtureLane.open(index + 10, testEntry(`refused ${index}`)), 1);
  }
  const last = await FixtureLane.open(1, testEntry("taken"));
  await writer.write(last, 1);
  return { writer, last };
}

test("[WIR-8] documents that a peer puts off do not keep those waiting that it takes", async () => {
  const { writer, last } = await manyRefused(70);
  const peer = new MemoryHost(2, { mayOpenNew: () => false });
  peer.disk.add(last.entry, writer.disk.documents.get(last.entry.id)!.log);
  await writer.write(last, 1);
  connect(writer, peer, 1);
  await exchange(writer, peer);
  await pass(writer, peer, 20_000);
  expect(seqAt(peer, last)).toBe(2);
  expect(peer.disk.documents.size).toBe(1);
});

test("[WIR-8] a document that changes while it waits for its turn waits once", async () => {
  const { writer, last } = await manyRefused(70);
  const limits = { unansweredDocumentsMax: 10 };
  const held = new MemoryHost(1, { limits, follow: false }, writer.disk);
  const peer = new MemoryHost(2, { mayOpenNew: () => false });
  connect(held, peer, 1);
  await exchange(held, peer);
  await pass(held, peer, 3_000);
  for (let count = 0; count < 20; count++) await held.write(last, 1);
  await exchange(held, peer);
  await pass(held, peer, 2_000);
  const told = held.events.findLast(({ name }) => name === "sync.progress");
  if (told?.name !== "sync.progress") throw new Error("no progress was told");
  expect(told.progress.documentsTotal).toBe(71);
});

test("[WIR-20] a change feed that could not be read at one moment is read later, on the same session", async () => {
  const lane = await FixtureLane.open(1);
  const [writer, peer] = [new MemoryHost(1), new MemoryHost(2)];
  await writer.write(lane, 2);
  writer.fails.add("changes");
  connect(writer, peer, 1);
  await exchange(writer, peer);
  await pass(writer, peer, 5_000);
  expect([seqAt(peer, lane), peer.disk.cursors.size]).toEqual([0, 0]);
  writer.fails.clear();
  await pass(writer, peer, 60_000);
  expect([seqAt(peer, lane), peer.disk.cursors.size]).toEqual([2, 1]);
});
