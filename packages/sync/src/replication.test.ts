import {
  HeddleErrorCode,
  laneId,
  openSpaceId,
  storeId,
  verifyLane,
  verifyRun,
  type LaneDescriptor,
} from "@heddle/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";

import {
  FixtureLane,
  seededSigner,
  testEntry,
  testHash,
  testVerifier,
} from "./environment.fixture.ts";
import { decodeFrame, encodeFrame, type Frame } from "./frame.ts";
import { frames, countingBytes } from "./frames.fixture.ts";
import { Replication } from "./replication.ts";
import { PeerRole } from "./sync-context.ts";
import type { SyncEffect } from "./sync-effects.ts";
import type { SyncEvent } from "./sync-events.ts";

// Two machines on a wire that loses nothing, with stores that are lists in memory.
// What goes wrong with networks, disks and processes is the simulator's.

class Host {
  readonly replication: Replication;
  readonly events: SyncEvent[] = [];
  readonly sent: Uint8Array[] = [];
  readonly stored: string[] = [];
  readonly #signer;
  readonly #lane: FixtureLane | undefined;
  nowMs = 0;

  constructor(seed: number, lane?: FixtureLane) {
    this.#signer = seededSigner(seed);
    this.#lane = lane;
    let draws = 0;
    this.replication = new Replication({
      hash: testHash,
      random: { bytes: (length) => countingBytes(length, seed * 31 + draws++) },
      space: openSpaceId(testHash),
      store: storeId(countingBytes(16, seed)),
      incarnations: [{ nonce: countingBytes(16, seed + 100), firstArrival: 1 }],
      lastArrival: 1,
      devicePublicKey: this.#signer.devicePublicKey,
      role: PeerRole.replica,
      engine: "test",
      adopt: true,
      follow: true,
    });
  }

  /** Carries out all effects; frames wait in `sent`. */
  async drain(): Promise<void> {
    for (;;) {
      const effects = this.replication.takeEffects();
      if (effects.length === 0) return;
      for (const effect of effects) await this.#carryOut(effect);
    }
  }

  async #carryOut(effect: SyncEffect): Promise<void> {
    const answer = (value: unknown) => {
      if (!("id" in effect)) throw new Error("no request");
      this.replication.complete(effect.id, value as never, this.nowMs);
    };
    switch (effect.type) {
      case "send":
        this.sent.push(effect.bytes);
        return;
      case "event":
        this.events.push(effect.event);
        return;
      case "sign":
        return answer(await this.#signer.sign(effect.bytes));
      case "verify": {
        const { devicePublicKey, bytes, signature } = effect;
        return answer(await testVerifier.verify(devicePublicKey, bytes, signature));
      }
      case "verifyLane":
        return answer(await verifyLane(effect.lane, testVerifier));
      case "verifyRun":
        return answer(await verifyRun(effect.run, effect.lane.devicePublicKey, testVerifier));
      case "load":
        return answer(undefined);
      case "read": {
        const lanes = new Map<string, LaneDescriptor>();
        if (this.#lane) lanes.set(this.#lane.descriptor.id, this.#lane.descriptor);
        const above = [...effect.above.values()][0] ?? 0;
        return answer({ envelopes: await runAbove(this.#lane, above), lanes });
      }
      case "store": {
        const ids = effect.runs.flatMap(({ run }) => run.map(({ seq }) => String(seq)));
        this.stored.push(...ids);
        const verdicts = effect.runs.map(() => "stored" as const);
        return answer({ outcome: "stored", verdicts, arrival: 2 });
      }
      case "changes":
        return answer([]);
      default:
    }
  }
}

/** Sealing is deterministic, so the same run can be made again. */
async function runAbove(lane: FixtureLane | undefined, above: number) {
  if (!lane) return [];
  lane.rewindTo(undefined);
  const run = await lane.run(5);
  return run.slice(above);
}

async function connected(): Promise<{ writer: Host; reader: Host }> {
  const lane = await FixtureLane.open(1);
  const [writer, reader] = [new Host(1, lane), new Host(2)];
  writer.replication.connect(1, "initiator", 0);
  reader.replication.connect(1, "acceptor", 0);
  await exchange(writer, reader);
  return { writer, reader };
}

async function exchange(a: Host, b: Host): Promise<void> {
  for (let round = 0; round < 50; round++) {
    await a.drain();
    await b.drain();
    const [fromA, fromB] = [a.sent.splice(0), b.sent.splice(0)];
    if (fromA.length + fromB.length === 0) return;
    for (const bytes of fromA) b.replication.receive(1, bytes, b.nowMs);
    for (const bytes of fromB) a.replication.receive(1, bytes, a.nowMs);
  }
  throw new Error("the wire does not become quiet");
}

test("[WIR-8] what one replica has on disk comes to the other, is stored once and acknowledged", async () => {
  const { writer, reader } = await connected();
  const lane = await FixtureLane.open(1);
  const run = await lane.run(5);
  writer.replication.want(lane.entry, 0);
  writer.replication.storedHere(lane.entry, run, lane.descriptor, 2, 0);
  await exchange(writer, reader);
  expect(reader.stored).toEqual(["1", "2", "3", "4", "5"]);
  expect(writer.replication.confirmedBy(1, lane.entry.id, lane.descriptor.id)).toBe(5);
  expect([writer, reader].map(({ replication }) => replication.isSettled)).toEqual([true, true]);
});

test("[WIR-9] the outbox is a view: it counts what no id has proven yet, and empties as ids do", async () => {
  const { writer, reader } = await connected();
  const lane = await FixtureLane.open(1);
  const { id } = lane.entry;
  writer.replication.want(lane.entry, 0);
  await exchange(writer, reader);
  writer.replication.storedHere(lane.entry, await lane.run(5), lane.descriptor, 2, 0);
  expect([...writer.replication.missingAt(1)]).toEqual([[id, 5]]);
  await exchange(writer, reader);
  expect([...writer.replication.missingAt(1)]).toEqual([]);
  expect([...writer.replication.missingAt(99)]).toEqual([]);
});

test("[WIR-7] presence comes to whoever has the document open, and is dropped and counted elsewhere", async () => {
  const { writer, reader } = await connected();
  const lane = await FixtureLane.open(1);
  const { id: document } = lane.entry;
  const payload = countingBytes(20);
  writer.replication.want(lane.entry, 0);
  await writer.drain();
  writer.replication.sendEphemeral(document, payload, 0);
  await exchange(writer, reader);
  expect(writer.replication.counters.ephemeralDropped).toBe(1);
  expect(reader.events.map(({ name }) => name)).not.toContain("ephemeral");
  writer.replication.sendEphemeral(document, payload, 0);
  await exchange(writer, reader);
  expect(reader.events).toContainEqual({ name: "ephemeral", peer: 1, document, payload });
});

test("[WIR-6] nothing of a peer is heard before it was proven", async () => {
  const reader = new Host(2);
  reader.replication.connect(1, "acceptor", 0);
  await reader.drain();
  reader.replication.receive(1, encodeFrame({ name: "ping", token: 1, sentBytes: 0 }), 0);
  reader.replication.receive(
    1,
    encodeFrame({ name: "cursor", incarnation: undefined, arrival: 0, check: undefined }),
    0,
  );
  await reader.drain();
  const names = reader.sent.map((bytes) => decodeFrame(bytes)!.name);
  expect(names).toEqual(["hello"]);
  expect(reader.replication.counters.framesIgnored).toBe(2);
});

test("[WIR-13] a peer that says nothing is let go", async () => {
  const { writer } = await connected();
  writer.replication.tick(44_000);
  await writer.drain();
  expect(writer.events.map(({ name }) => name)).not.toContain("session.closed");
  writer.replication.tick(46_000);
  await writer.drain();
  expect(writer.events).toContainEqual({
    name: "session.closed",
    peer: 1,
    code: HeddleErrorCode.sessionClosed,
  });
});

// Frames of a live session, changed, repeated, in any order, and frames that are made up.
test("[WIR-2, WIR-7] whatever a peer that is proven sends, a session ends with a code or goes on", async () => {
  const lane = await FixtureLane.open(1);
  const seeds = fc.array(
    fc.oneof(
      frames.map((frame) => encodeFrame(frame)),
      fc.uint8Array({ minLength: 1, maxLength: 80 }),
      fc
        .constantFrom<Frame>(
          {
            name: "open",
            documentRef: 0,
            document: lane.entry.id,
            createdAt: new Uint8Array(8),
            documentName: lane.entry.name,
          },
          { name: "lane", laneRef: 0, descriptor: lane.descriptor.bytes },
        )
        .map((frame) => encodeFrame(frame)),
    ),
    { maxLength: 25 },
  );
  let closed = 0;
  await fc.assert(
    fc.asyncProperty(seeds, async (inputs) => {
      const { reader } = await connected();
      for (const bytes of inputs) {
        reader.replication.receive(1, bytes, 1);
        await reader.drain();
        reader.replication.tick(2);
      }
      const end = reader.events.find(({ name }) => name === "session.closed");
      if (end) closed++;
      expect(reader.replication.heldBytes).toBeLessThan(4 * 1024 * 1024);
      expect(reader.stored).toEqual([]);
    }),
    { numRuns: 150 },
  );
  expect(closed).toBeGreaterThan(20);
});

test("[WIR-9] an acknowledgement counts only when its id proves it", async () => {
  const { writer, reader } = await connected();
  const lane = await FixtureLane.open(1);
  const run = await lane.run(5);
  writer.replication.want(lane.entry, 0);
  writer.replication.storedHere(lane.entry, run, lane.descriptor, 2, 0);
  // The reader stores and acknowledges; each ACK and HAVE is damaged in its head on the way.
  for (let round = 0; round < 20; round++) {
    await writer.drain();
    await reader.drain();
    for (const bytes of writer.sent.splice(0)) reader.replication.receive(1, bytes, 0);
    for (const bytes of reader.sent.splice(0)) {
      writer.replication.receive(1, withWrongHeads(bytes), 0);
    }
  }
  expect(reader.stored).toHaveLength(5);
  expect(writer.replication.counters.acksUnproven).toBeGreaterThan(0);
  expect(writer.replication.confirmedBy(1, lane.entry.id, lane.descriptor.id)).toBe(0);
});

test("[WIR-7] lanes that nobody has verified yet are held within the credit, and no longer", async () => {
  const { reader } = await connected();
  const lanes = await Promise.all([11, 12, 13, 14].map((seed) => FixtureLane.open(seed)));
  let count = 0;
  // Nothing is carried out, so every descriptor still waits for its signature to be checked.
  while (reader.replication.heldBytes < 4 * 1024 * 1024 && count < 20_000) {
    const { bytes } = lanes[count % lanes.length]!.descriptor;
    const frame = encodeFrame({ name: "lane", laneRef: count % 60_000, descriptor: bytes });
    reader.replication.receive(1, frame, 1);
    count++;
  }
  expect(reader.replication.heldBytes).toBeLessThan(3 * 1024 * 1024);
  await reader.drain();
  expect(reader.events.map(({ name }) => name)).toContain("session.closed");
});

test("[WIR-7] a vector without end closes the session", async () => {
  const { reader } = await connected();
  const { entry } = await FixtureLane.open(1);
  const createdAt = new Uint8Array(8);
  const { id: document, name: documentName } = entry;
  reader.replication.receive(
    1,
    encodeFrame({ name: "open", documentRef: 0, document, createdAt, documentName }),
    1,
  );
  await reader.drain();
  for (let frame = 0; frame < 20; frame++) {
    const positions = Array.from({ length: 4_096 }, (_, index) => ({
      lane: laneId(
        countingBytes(16, 0)
          .with(0, frame)
          .with(1, index >> 8)
          .with(2, index & 255),
      ),
      seq: 1,
      head: countingBytes(8),
    }));
    const digest = countingBytes(32);
    const have = { name: "have", documentRef: 0, digest, flags: 4, positions } as const;
    reader.replication.receive(1, encodeFrame({ ...have, checkpoint: undefined }), 1);
    await reader.drain();
  }
  expect(reader.events).toContainEqual({
    name: "session.closed",
    peer: 1,
    code: HeddleErrorCode.relayOverloaded,
  });
});

test("[WIR-7] documents that no session exchanges any more are forgotten", async () => {
  const { reader } = await connected();
  for (let number = 0; number < 30; number++) {
    const { id: document, name: documentName } = testEntry(`note ${number}`);
    const createdAt = new Uint8Array(8);
    const frame = { name: "open", documentRef: number, document, createdAt, documentName } as const;
    reader.replication.receive(1, encodeFrame(frame), 1);
  }
  await reader.drain();
  expect(reader.replication.documentCount).toBe(30);
  reader.replication.disconnected(1, 2);
  reader.replication.tick(3);
  expect(reader.replication.documentCount).toBe(0);
});

function withWrongHeads(bytes: Uint8Array): Uint8Array {
  const frame = decodeFrame(bytes)!;
  if (frame.name === "have") {
    return encodeFrame({ ...frame, digest: countingBytes(32), positions: [] });
  }
  if (frame.name !== "ack") return bytes;
  const positions = frame.positions.map((position) => ({ ...position, head: countingBytes(8) }));
  return encodeFrame({ ...frame, positions });
}
