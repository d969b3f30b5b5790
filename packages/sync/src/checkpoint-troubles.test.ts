import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { decodeFrame, type FrameOf } from "./frame.ts";
import { countingBytes } from "./frames.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";
import { RawPeer } from "./raw-peer.fixture.ts";

// Goal: neither a disk that fails once nor a peer that means ill keeps a document from its checkpoint.

const limits = { checkpointChunkBytes: 1_000, checkpointEnvelopesMin: 3 };
const payload = countingBytes(9_500);
const honest = 1;
const hostile = 9;

async function prunedWriter(): Promise<{ writer: MemoryHost; lane: FixtureLane }> {
  const lane = await FixtureLane.open(1);
  const writer = new MemoryHost(1, { limits });
  await writer.write(lane, 20);
  await writer.checkpoint(lane.entry, payload, true);
  return { writer, lane };
}

/** A stranger that says it has more of the document than the reader. */
async function stranger(reader: MemoryHost, { entry, descriptor }: FixtureLane): Promise<RawPeer> {
  const peer = await RawPeer.greet(reader, hostile, 66, { features: 0 });
  peer.open(entry, 0);
  await reader.drain();
  peer.have(0, [{ lane: descriptor.id, seq: 99, head: countingBytes(8) }]);
  await reader.drain();
  return peer;
}

test("[WIR-14] a document that could not take a checkpoint at one moment takes it, and all else, later", async () => {
  const { writer, lane } = await prunedWriter();
  const reader = new MemoryHost(2, { limits });
  reader.fails.add("adoptCheckpoint");
  connect(writer, reader, honest);
  await exchange(writer, reader);
  await pass(writer, reader, 3_000);
  expect(reader.replication.counters.checkpointsAdopted).toBe(0);
  // Whoever exchanged it has to come back: what the disk holds is read anew.
  expect(reader.events.map(({ name }) => name)).toContain("session.closed");
  reader.fails.clear();
  connect(writer, reader, 2);
  await exchange(writer, reader);
  await writer.write(lane, 2);
  await exchange(writer, reader);
  await pass(writer, reader, 5_000);
  expect(reader.disk.documents.get(lane.entry.id)!.vector.get(lane.descriptor.id)!.seq).toBe(22);
});

test("[WIR-14] a chunk from somebody who was not asked for it is not taken", async () => {
  const { writer, lane } = await prunedWriter();
  const reader = new MemoryHost(2, { limits });
  const other = await stranger(reader, lane);
  connect(writer, reader, honest);
  let isInjected = false;
  await exchange(writer, reader, (bytes) => {
    const frame = decodeFrame(bytes)!;
    if (frame.name !== "checkpointData" || frame.chunk !== 3 || isInjected) return true;
    isInjected = true;
    other.send({ ...frame, documentRef: 0, bytes: new Uint8Array(1_000) });
    return true;
  });
  await pass(writer, reader, 3_000);
  expect(isInjected).toBe(true);
  expect(reader.events.map(({ name }) => name)).not.toContain("session.closed");
  expect(reader.disk.documents.get(lane.entry.id)?.checkpoint?.payload).toEqual(payload);
});

test("[WIR-14] who offers a checkpoint and never serves it does not keep others from serving it", async () => {
  const { writer, lane } = await prunedWriter();
  let offer: FrameOf<"checkpointOffer"> | undefined;
  const spy = new MemoryHost(3, { limits });
  connect(writer, spy, honest);
  await exchange(writer, spy, (bytes) => {
    const frame = decodeFrame(bytes)!;
    if (frame.name === "checkpointOffer") offer = frame;
    return true;
  });
  const reader = new MemoryHost(2, { limits });
  const other = await stranger(reader, lane);
  other.send({ ...offer!, documentRef: 0 });
  await reader.drain();
  connect(writer, reader, 2);
  await exchange(writer, reader);
  for (let seconds = 0; seconds < 60; seconds += 5) {
    other.send({ name: "pong", token: 1 });
    await pass(writer, reader, 5_000);
  }
  expect(reader.disk.documents.get(lane.entry.id)?.checkpoint?.payload).toEqual(payload);
});
