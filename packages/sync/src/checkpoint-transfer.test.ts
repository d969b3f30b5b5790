import { HeddleErrorCode, signCheckpoint } from "@heddle/core";
import { expect, test } from "vitest";

import { FixtureLane, seededSigner, testHash } from "./environment.fixture.ts";
import { decodeFrame, encodeFrame } from "./frame.ts";
import { countingBytes } from "./frames.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, disconnect, exchange, pass } from "./memory-wire.fixture.ts";

// Goal: who lacks what was dropped gets a checkpoint and the tail, and nothing wrong is adopted.
// Method: two machines with lists for disks; what breaks and when is chosen here, chance is the simulator's.

const limits = { checkpointChunkBytes: 1_000, checkpointEnvelopesMin: 3 };
const payload = countingBytes(9_500);
const connection = 1;

function namesOf(bytes: Uint8Array): string {
  return decodeFrame(bytes)!.name;
}

/** A host that wrote 20, dropped them, and wrote 3 more. */
async function prunedWriter(prunes = true): Promise<{ writer: MemoryHost; lane: FixtureLane }> {
  const lane = await FixtureLane.open(1);
  const writer = new MemoryHost(1, { limits });
  await writer.write(lane, 20);
  await writer.checkpoint(lane.entry, payload, prunes);
  await writer.write(lane, 3);
  return { writer, lane };
}

test("[WIR-14] who is below the floor gets the checkpoint in chunks, and then the tail", async () => {
  const { writer, lane } = await prunedWriter();
  const reader = new MemoryHost(2, { limits });
  connect(writer, reader, connection);
  await exchange(writer, reader);
  await pass(writer, reader, 3_000);
  const { log, vector, floors, checkpoint } = reader.disk.documents.get(lane.entry.id)!;
  expect(log.map(({ seq }) => seq)).toEqual([21, 22, 23]);
  expect(vector.get(lane.descriptor.id)!.seq).toBe(23);
  expect([...floors.values()]).toEqual([20]);
  expect(checkpoint!.payload).toEqual(payload);
  expect(writer.replication.counters.checkpointChunksSent).toBe(10);
  expect(reader.events.map(({ name }) => name)).toContain("document.adopted");
  expect([writer, reader].map(({ replication }) => replication.isSettled)).toEqual([true, true]);
});

test("[WIR-14] after a lost connection a checkpoint goes on where it was", async () => {
  const { writer, lane } = await prunedWriter();
  const reader = new MemoryHost(2, { limits });
  connect(writer, reader, connection);
  let chunks = 0;
  await exchange(writer, reader, (bytes) => namesOf(bytes) !== "checkpointData" || ++chunks <= 4);
  disconnect(writer, reader, connection);
  for (const host of [writer, reader]) host.replication.tick((host.nowMs += 1_000));
  connect(writer, reader, 2);
  const again: number[] = [];
  await exchange(writer, reader, (bytes) => {
    const frame = decodeFrame(bytes)!;
    if (frame.name === "checkpointData") again.push(frame.chunk);
    return true;
  });
  await pass(writer, reader, 6_000, (bytes) => {
    const frame = decodeFrame(bytes)!;
    if (frame.name === "checkpointData") again.push(frame.chunk);
    return true;
  });
  expect(again).toEqual([4, 5, 6, 7, 8, 9]);
  expect(reader.disk.documents.get(lane.entry.id)!.log).toHaveLength(3);
});

test("[WIR-14] lost chunks are asked for again", async () => {
  const { writer, lane } = await prunedWriter();
  const reader = new MemoryHost(2, { limits });
  connect(writer, reader, connection);
  const lost = new Set([1, 2, 6, 11, 12, 16]);
  let count = 0;
  const passes = (bytes: Uint8Array) => {
    return namesOf(bytes) !== "checkpointData" || !lost.has(count++);
  };
  await exchange(writer, reader, passes);
  await pass(writer, reader, 120_000, passes);
  expect(reader.replication.counters.checkpointChunksDropped).toBeGreaterThan(0);
  expect(reader.disk.documents.get(lane.entry.id)!.log).toHaveLength(3);
});

test("[WIR-14] where the log is there, who keeps history gets the log, and who prunes the checkpoint", async () => {
  for (const history of ["keep", "prune"] as const) {
    const { writer, lane } = await prunedWriter(false);
    const small = countingBytes(500);
    await writer.checkpoint(lane.entry, small, false);
    const reader = new MemoryHost(2, { limits, history });
    connect(writer, reader, connection);
    await exchange(writer, reader);
    await pass(writer, reader, 3_000);
    const { log, vector } = reader.disk.documents.get(lane.entry.id)!;
    expect(vector.get(lane.descriptor.id)!.seq).toBe(23);
    expect(log).toHaveLength(history === "keep" ? 23 : 0);
  }
});

test("[WIR-14] a checkpoint with a wrong signature or wrong bytes is not adopted, and the session ends", async () => {
  for (const name of ["checkpointOffer", "checkpointData"]) {
    const { writer } = await prunedWriter();
    const reader = new MemoryHost(2, { limits });
    connect(writer, reader, connection);
    await exchange(writer, reader, (bytes) => {
      // The last byte: of the signature, or of a chunk.
      if (namesOf(bytes) === "checkpointData") bytes[bytes.length - 1]! ^= 1;
      if (namesOf(bytes) === "checkpointOffer" && name === "checkpointOffer")
        damageSignature(bytes);
      return true;
    });
    const refused = reader.events.find((event) => event.name === "checkpoint.refused");
    const reason = name === "checkpointOffer" ? "signature" : "damaged";
    expect(refused).toMatchObject({ reason });
    expect(reader.disk.documents.get(testDocument(reader))?.checkpoint).toBeUndefined();
    expect(reader.events.map((event) => event.name)).toContain("session.closed");
  }
});

test("[WIR-14] a checkpoint whose content is not what it says is refused for good, and the rest goes on", async () => {
  const { writer, lane } = await prunedWriter();
  const document = writer.disk.documents.get(lane.entry.id)!;
  const { header } = document.checkpoint!;
  const signer = seededSigner(1);
  const wrong = await signCheckpoint(testHash, signer, {
    ...header,
    digestS: countingBytes(32, 9),
  });
  document.checkpoint = { ...document.checkpoint!, header: wrong };
  const { vector, vectorBytes } = document.checkpoint;
  const held = { header: wrong, vector, vectorBytes: vectorBytes.length };
  writer.replication.checkpointed(lane.entry.id, held, document.floors, 0);
  const other = await FixtureLane.open(5, lane.entry);
  await writer.write(other, 2);
  const reader = new MemoryHost(2, { limits });
  connect(writer, reader, connection);
  await exchange(writer, reader);
  await pass(writer, reader, 60_000);
  const refusals = reader.events.filter((event) => event.name === "checkpoint.refused");
  expect(refusals).toMatchObject([{ reason: "content" }]);
  expect(writer.replication.counters.checkpointChunksSent).toBe(10);
  const { log } = reader.disk.documents.get(lane.entry.id)!;
  expect(log.map((envelope) => envelope.lane)).toEqual([other.descriptor.id, other.descriptor.id]);
});

test("[WIR-14, WIR-7] sizes are looked at before anything is asked for", async () => {
  const { writer } = await prunedWriter();
  for (const vectorBytes of [0, 300 * 1024 * 1024]) {
    const reader = new MemoryHost(2, { limits });
    const key = 10 + vectorBytes;
    connect(writer, reader, key);
    await exchange(writer, reader, (bytes, from) => {
      const frame = decodeFrame(bytes)!;
      if (frame.name !== "checkpointOffer") return true;
      const changed = encodeFrame({ ...frame, vectorBytes });
      if (from === writer) reader.replication.receive(key, changed, 0);
      return false;
    });
    const closed = reader.events.find((event) => event.name === "session.closed");
    expect(closed).toMatchObject({ code: HeddleErrorCode.frameMalformed });
    expect(reader.replication.heldBytes).toBe(0);
  }
});

function testDocument(host: MemoryHost) {
  return [...host.disk.documents.keys()][0]!;
}

/** In an offer the header's signature comes before the fields 4 and 5. */
function damageSignature(bytes: Uint8Array): void {
  bytes[bytes.length - 12]! ^= 1;
}
