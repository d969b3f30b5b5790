import { MemoryDisk, parseDocumentName, type DocumentName } from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { PeeredRelay } from "./peered-relay.ts";
import { until } from "./stock-client.ts";

// Goal: what two replicas say to each other when they meet again grows with what has changed meanwhile,
// not with what they hold.
// Method: many documents are exchanged, both replicas are started anew, a few documents change, and the
// bytes of the next session are counted, greeting and end included.

const count = 300;
const changes = 5;
/** Greeting, cursor and mark of both sides, and what was typed. */
const bytesMax = 4 * 1024;

function nameOf(index: number): DocumentName {
  return parseDocumentName(`document ${index}`);
}

async function write({ replica }: PeeredRelay, index: number): Promise<void> {
  const document = await replica.acquire(nameOf(index));
  const ydoc = new Y.Doc();
  ydoc.getText("text").insert(0, "typed");
  document.submit(Y.encodeStateAsUpdate(ydoc), {});
  await document.whenSettled();
  replica.release(document);
}

async function settled(...relays: readonly PeeredRelay[]): Promise<void> {
  const areSettled = () => relays.every(({ peers }) => peers.machine?.isSettled === true);
  await until(areSettled, "nothing is missing anywhere", 60_000);
}

test(`[WIR-20] ${count} documents, ${changes} changed while away, after a restart: at most ${bytesMax} bytes`, async () => {
  const disks = [new MemoryDisk(), new MemoryDisk()] as const;
  {
    await using first = await PeeredRelay.start({}, disks[0]);
    await using second = await PeeredRelay.start({}, disks[1]);
    for (let index = 0; index < count; index++) await write(first, index);
    second.dial(first.url);
    const stored = () => second.peers.machine?.counters.envelopesStored === count;
    await until(stored, "everything has come over", 60_000);
    await settled(first, second);
    // A cursor is said when nothing has changed for a while.
    await expect.poll(() => second.followsUpTo(first), { timeout: 30_000 }).toBe(true);
    await expect.poll(() => first.followsUpTo(second), { timeout: 30_000 }).toBe(true);
  }
  await using first = await PeeredRelay.start({}, disks[0]);
  await using second = await PeeredRelay.start({}, disks[1]);
  for (let index = 0; index < changes; index++) await write(first, index * 60);
  second.dial(first.url);
  const stored = () => second.peers.machine?.counters.envelopesStored === changes;
  await until(stored, "what has changed has come over");
  await settled(first, second);
  const { bytesSent, bytesReceived, framesSent } = first.peers.machine!.counters;
  console.info(`${bytesSent + bytesReceived} bytes, ${framesSent} frames from one side`);
  expect(bytesSent + bytesReceived).toBeLessThan(bytesMax);
});
