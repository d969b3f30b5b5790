import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { countingBytes } from "./frames.fixture.ts";
import { HelloFeature, type FrameName } from "./frame-shapes.ts";
import type { MemoryHost } from "./memory-host.fixture.ts";
import { MemoryMesh } from "./memory-mesh.fixture.ts";
import { packEnvelope } from "./packed-envelope.ts";
import { RawPeer } from "./raw-peer.fixture.ts";
import { syncLimits } from "./sync-limits.ts";

// Goal: what everybody is told once is told to everybody, whatever becomes of who tells it.
// Method: several machines with real signatures in one process, every frame in order; time is given.

const typedMs = 200;

/** `count` of them, all connected with all, with one document that has something in it. */
async function meshOf(count: number): Promise<MemoryMesh> {
  const mesh = new MemoryMesh();
  for (let index = 0; index < count; index++) await mesh.add();
  mesh.connectAll();
  await mesh.write(mesh.hosts[0]!);
  await mesh.settle();
  await mesh.pass(3_000);
  return mesh;
}

function expectSame(mesh: MemoryMesh): void {
  const [first, ...others] = mesh.hosts.map(({ disk }) => {
    return [...disk.documents.values()].map(({ vector }) => [...vector].toSorted());
  });
  for (const other of others) expect(other).toEqual(first);
  for (const { replication } of mesh.hosts) expect(replication.isSettled).toBe(true);
}

function storedAt(host: MemoryHost): number {
  return [...host.disk.documents.values()].reduce((sum, { log }) => sum + log.length, 0);
}

test.each([2, 4])(
  "[WIR-24] where %i all see each other, each change is sent once to each",
  async (count) => {
    const mesh = await meshOf(count);
    const before = mesh.sum("envelopesSent");
    const turns = 3;
    for (let turn = 0; turn < turns; turn++) {
      for (const host of mesh.hosts) {
        await mesh.write(host);
        await mesh.settle();
        await mesh.pass(typedMs);
      }
    }
    await mesh.pass(3_000);
    expect(mesh.sum("envelopesSent") - before).toBe(turns * count * (count - 1));
    expect(mesh.sum("duplicates")).toBe(0);
    expectSame(mesh);
  },
);

test("[WIR-24] what several type in the same moment is sent once to each", async () => {
  const mesh = await meshOf(4);
  const before = mesh.sum("envelopesSent");
  const turns = 5;
  for (let turn = 0; turn < turns; turn++) {
    for (const host of mesh.hosts) await mesh.write(host);
    await mesh.settle();
    await mesh.pass(typedMs);
  }
  await mesh.pass(3_000);
  expect(mesh.sum("envelopesSent") - before).toBe(turns * 4 * 3);
  expect(mesh.sum("incomplete")).toBe(0);
  expectSame(mesh);
});

test.each([2, 3])(
  "[WIR-25] %i that have the same drain to a relay that appears, once",
  async (count) => {
    const mesh = await meshOf(count);
    for (let turn = 0; turn < 30; turn++) {
      for (const host of mesh.hosts) await mesh.write(host, 3);
      await mesh.settle();
    }
    await mesh.pass(3_000);
    const writers = [...mesh.hosts];
    const relay = await mesh.add();
    for (const writer of writers) mesh.connect(writer, relay);
    await mesh.settle();
    await mesh.pass(3_000);
    const { counters } = relay.replication;
    expect(counters.envelopesReceived).toBe(storedAt(writers[0]!));
    expect(counters.duplicates).toBe(0);
    expectSame(mesh);
    for (const { replication } of writers) {
      for (let key = 1; key < 9; key++) expect(replication.missingAt(key).size).toBe(0);
    }
    // From now on each brings its own, to whomever it sees.
    const before = mesh.sum("envelopesSent");
    for (const writer of writers) {
      await mesh.write(writer);
      await mesh.settle();
      await mesh.pass(typedMs);
    }
    expect(mesh.sum("envelopesSent") - before).toBe(count * count);
    expect(mesh.sum("duplicates")).toBe(0);
  },
);

test("[WIR-24] what comes by one of two ways goes on without being asked for, after the first time", async () => {
  const mesh = new MemoryMesh();
  const [a, b, c, d] = [await mesh.add(), await mesh.add(), await mesh.add(), await mesh.add()];
  for (const [one, other] of [
    [a, b],
    [b, c],
    [c, d],
  ] as const)
    mesh.connect(one, other);
  await mesh.write(a);
  await mesh.settle();
  await mesh.pass(3_000);
  for (let turn = 0; turn < 5; turn++) {
    await mesh.write(a);
    // No time passes: nobody waits for anything.
    await mesh.settle();
    expect(storedAt(d)).toBe(storedAt(a));
  }
  expect(mesh.sum("duplicates")).toBe(0);
  const { lanesPulled } = c.replication.counters;
  await mesh.write(a);
  await mesh.settle();
  expect(c.replication.counters.lanesPulled).toBe(lanesPulled);
  await mesh.pass(3_000);
  expectSame(mesh);
});

test("[WIR-26] when who writes is not heard any more by one, others pass it on to that one", async () => {
  const mesh = await meshOf(4);
  const [a, b] = mesh.hosts as [MemoryHost, MemoryHost];
  // The connection stands, and nothing that matters comes through.
  mesh.passes = ({ name }, from, to) => name !== "push" || from !== a || to !== b;
  await mesh.write(a);
  await mesh.settle();
  expect(storedAt(b)).toBe(storedAt(a) - 1);
  await mesh.pass(syncLimits.pullAfterMs * 2 + 400);
  expect(storedAt(b)).toBe(storedAt(a));
  // And from then on at once.
  await mesh.write(a);
  await mesh.settle();
  expect(storedAt(b)).toBe(storedAt(a));
  mesh.passes = () => true;
  await mesh.write(a);
  await mesh.pass(3_000);
  const before = mesh.sum("envelopesSent");
  await mesh.write(a);
  await mesh.settle();
  expect(mesh.sum("envelopesSent") - before).toBe(3);
  await mesh.pass(30_000);
  expectSame(mesh);
});

test("[WIR-26] when a session ends, what came by it comes by another", async () => {
  const mesh = new MemoryMesh();
  const [a, b, c, d] = [await mesh.add(), await mesh.add(), await mesh.add(), await mesh.add()];
  const first = mesh.connect(b, d);
  for (const [one, other] of [
    [a, b],
    [a, c],
    [c, d],
  ] as const)
    mesh.connect(one, other);
  await mesh.write(a);
  await mesh.settle();
  await mesh.pass(3_000);
  mesh.disconnect(first);
  await mesh.write(a, 3);
  await mesh.settle();
  expect(storedAt(d)).toBe(storedAt(a));
  await mesh.pass(3_000);
  expectSame(mesh);
});

test.each<FrameName>(["hold", "feed", "announce", "pull"])(
  "[WIR-26] every second %s is lost, and everybody ends with the same",
  async (lost) => {
    const mesh = await meshOf(3);
    let count = 0;
    mesh.passes = ({ name }) => name !== lost || ++count % 2 === 0;
    const late = await mesh.add();
    for (const host of mesh.hosts.slice(0, 3)) {
      mesh.connect(host, late);
      await mesh.write(host, 20);
    }
    await mesh.settle();
    await mesh.write(mesh.hosts[1]!, 2);
    await mesh.pass(60_000);
    expectSame(mesh);
    for (const { replication } of mesh.hosts) {
      expect(replication.counters.envelopesStored).toBeLessThanOrEqual(storedAt(mesh.hosts[0]!));
    }
  },
);

test("[WIR-26] who claims everything and sends nothing costs one wait", async () => {
  const mesh = await meshOf(2);
  const [a, b] = mesh.hosts as [MemoryHost, MemoryHost];
  await mesh.write(a, 20);
  await mesh.pass(1_000);
  const reader = await mesh.add();
  const lane = mesh.lanes.get(a)!;
  const liar = await RawPeer.greet(reader, 99, 66, { features: HelloFeature.announce });
  liar.open(lane.entry, 0);
  await reader.drain();
  liar.have(0, [{ lane: lane.descriptor.id, seq: 9_999, head: countingBytes(8) }]);
  await mesh.settle();
  mesh.connect(a, reader);
  mesh.connect(b, reader);
  await mesh.settle();
  await mesh.pass(syncLimits.feedStallMs + 1_000);
  expect(storedAt(reader)).toBe(storedAt(a));
  for (let turn = 0; turn < 5; turn++) {
    await mesh.write(b);
    await mesh.settle();
    expect(storedAt(reader)).toBe(storedAt(b));
    liar.have(0, [{ lane: lane.descriptor.id, seq: 9_999 + turn, head: countingBytes(8) }]);
    await mesh.pass(1_000);
  }
});

test("[WIR-11] what builds on what was announced waits for it, and not for ever", async () => {
  const mesh = await meshOf(3);
  const [a, b, c] = mesh.hosts as [MemoryHost, MemoryHost, MemoryHost];
  mesh.passes = ({ name }, from, to) => name !== "push" || from !== a || to !== c;
  await mesh.write(a);
  await mesh.settle();
  await mesh.write(b);
  await mesh.settle();
  expect(c.replication.counters.runsHeld).toBe(1);
  expect(storedAt(c)).toBe(storedAt(b) - 2);
  // Of who announced it, sooner than when nobody waits.
  await mesh.pass(syncLimits.pullCauseMs, 50);
  expect(storedAt(c)).toBe(storedAt(b));
});

test("[WIR-11] an announcement of what nobody has holds up what comes behind it for a moment", async () => {
  const mesh = await meshOf(2);
  const [a] = mesh.hosts as [MemoryHost];
  const writer = await FixtureLane.open(66);
  const liar = await RawPeer.greet(a, 99, 66, { features: HelloFeature.announce });
  liar.open(writer.entry, 0);
  await a.drain();
  liar.have(0, []);
  liar.lane(writer, 0);
  liar.send({
    name: "announce",
    documentRef: 0,
    positions: [{ laneRef: 0, seq: 9_999, head: countingBytes(8) }],
  });
  const own = await FixtureLane.open(67);
  liar.lane(own, 1);
  const [envelope] = await own.run(1);
  const packed = [packEnvelope(envelope!, own.descriptor)];
  const run = { firstSeq: 1, prev: undefined, envelopes: packed, flags: 0 };
  liar.send({ name: "push", documentRef: 0, laneRef: 1, ...run });
  await mesh.settle();
  const before = storedAt(a);
  await mesh.pass(syncLimits.runHeldMsMax);
  expect(storedAt(a)).toBe(before + 1);
  expect(a.replication.counters.runsHeldInVain).toBe(1);
});

test("[WIR-24] replicas that do not know of it take part as before", async () => {
  const mesh = new MemoryMesh();
  await mesh.add();
  await mesh.add({ announces: false });
  await mesh.add();
  await mesh.add({ announces: false });
  mesh.connectAll();
  for (let turn = 0; turn < 3; turn++) {
    for (const host of mesh.hosts) await mesh.write(host, 2);
    await mesh.settle();
    await mesh.pass(typedMs);
  }
  await mesh.pass(5_000);
  expectSame(mesh);
});
