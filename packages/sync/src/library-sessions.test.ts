import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { FixtureLane } from "./environment.fixture.ts";
import { lanesOf, testHash } from "./environment.fixture.ts";
import { HelloFeature } from "./frame-shapes.ts";
import { decodeFrame, type Frame } from "./frame.ts";
import { libraryFrame } from "./library-check.ts";
import { noLibraryHash } from "./library-node.ts";
import { MemoryDisk } from "./memory-disk.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, disconnect, exchange, pass } from "./memory-wire.fixture.ts";
import { RawPeer } from "./raw-peer.fixture.ts";
import type { ReplicationOptions } from "./sync-context.ts";
import { syncLimits } from "./sync-limits.ts";

// Goal: replicas of which nobody knows what the other one has find out by comparing, and only there.

/** Disks of two replicas that have met, and lost the cursors of that. */
async function equalDisks(lanes: readonly FixtureLane[]): Promise<[MemoryDisk, MemoryDisk]> {
  const disk = new MemoryDisk();
  for (const lane of lanes) await disk.write(lane);
  return [disk, disk.clone()];
}

const hosts = (
  disks: readonly [MemoryDisk, MemoryDisk],
  changes: Partial<ReplicationOptions> = {},
): [MemoryHost, MemoryHost] => [
  new MemoryHost(1, changes, disks[0]),
  new MemoryHost(2, changes, disks[1]),
];

const framesOf = (seen: readonly Frame[], name: Frame["name"]) =>
  seen.filter((frame) => frame.name === name);

/** Lets all frames pass, and keeps them. */
function watched(seen: Frame[]): (bytes: Uint8Array) => boolean {
  return (bytes) => {
    seen.push(decodeFrame(bytes)!);
    return true;
  };
}

const seqsOf = ({ disk }: MemoryHost, lanes: readonly FixtureLane[]) =>
  lanes.map(({ entry, descriptor }) => {
    return disk.documents.get(entry.id)?.vector.get(descriptor.id)?.seq ?? 0;
  });

describe("[LIB-3] two replicas that do not know what the other one has", () => {
  test("exchange what differs, and open nothing else", async () => {
    const lanes = await lanesOf(120);
    const disks = await equalDisks(lanes.slice(0, 118));
    await disks[0].write(lanes[3]!, 2);
    await disks[1].write(lanes[4]!, 1);
    await disks[0].write(lanes[118]!);
    await disks[1].write(lanes[119]!);
    const [a, b] = hosts(disks);
    const seen: Frame[] = [];
    connect(a, b, 1);
    await exchange(a, b, watched(seen));
    await pass(a, b, 3_000, watched(seen));
    expect(seqsOf(a, lanes)).toEqual(seqsOf(b, lanes));
    expect(seqsOf(a, lanes).every((seq) => seq > 0)).toBe(true);
    const opened = new Set(
      framesOf(seen, "open").map((frame) => "document" in frame && frame.document),
    );
    expect(opened).toEqual(new Set([3, 4, 118, 119].map((index) => lanes[index]!.entry.id)));
    const { counters } = a.replication;
    expect(counters.librariesDiffered).toBe(1);
    await pass(a, b, 5_000);
    expect([counters.librariesAgreed, b.replication.counters.librariesAgreed]).toEqual([1, 1]);
    const told = b.events.filter(({ name }) => name === "library.compared");
    expect(told.at(-1)).toMatchObject({ isEqual: true, documents: 120, documentsThere: 120 });
    // Each follows the other from here on.
    expect([a.disk.cursors.size, b.disk.cursors.size]).toEqual([1, 1]);
  });

  test("say two frames when they have the same, and again every ten minutes", async () => {
    const [a, b] = hosts(await equalDisks(await lanesOf(60)));
    const seen: Frame[] = [];
    connect(a, b, 1);
    await exchange(a, b, watched(seen));
    await pass(a, b, 30_000, watched(seen));
    expect(framesOf(seen, "library")).toHaveLength(2);
    expect(framesOf(seen, "open")).toHaveLength(0);
    await pass(a, b, syncLimits.libraryEveryMs, watched(seen), 5_000);
    expect(framesOf(seen, "library")).toHaveLength(4);
    expect(b.replication.counters.librariesAgreed).toBe(2);
    expect(b.replication.counters.librariesDiffered).toBe(0);
  });

  test("compare after the feed, where that is known", async () => {
    const lanes = await lanesOf(20);
    const [first, second] = hosts(await equalDisks(lanes));
    connect(first, second, 1);
    await pass(first, second, 5_000);
    disconnect(first, second, 1);
    await first.disk.write(lanes[7]!);
    const [a, b] = hosts([first.disk, second.disk]);
    const seen: Frame[] = [];
    connect(a, b, 2);
    await exchange(a, b, watched(seen));
    expect(seqsOf(b, lanes)).toEqual(seqsOf(a, lanes));
    expect(framesOf(seen, "library")).toHaveLength(0);
    await pass(a, b, 5_000, watched(seen));
    expect(framesOf(seen, "library")).toHaveLength(2);
    expect(a.replication.counters.librariesAgreed).toBe(1);
  });

  test("find out whatever is lost, as soon as enough comes through", async () => {
    const lanes = await lanesOf(80);
    const disks = await equalDisks(lanes.slice(0, 40));
    for (const lane of lanes.slice(40)) await disks[0].write(lane);
    const [a, b] = hosts(disks);
    let count = 0;
    const passes = () => (Math.imul(++count, 0x9e3779b1) >>> 16) % 4 !== 0;
    connect(a, b, 1);
    await exchange(a, b);
    await pass(a, b, 120_000, passes);
    await pass(a, b, 60_000);
    expect(seqsOf(b, lanes)).toEqual(seqsOf(a, lanes));
    expect(b.disk.cursors.size).toBe(1);
  });

  test.each([
    // That there is no more is in the mark as well; where nothing says so, it is believed for a while only.
    ["at once", "the last word of it", new Set(["offering"]), syncLimits.libraryPatienceMs / 4],
    [
      "in the end",
      "that, and that it has everything",
      new Set(["offering", "mark"]),
      2 * syncLimits.libraryPatienceMs,
    ],
  ])("compare %s although %s was lost, of what the peer was going to offer", async (...given) => {
    const [, , lost, withinMs] = given;
    const lanes = await lanesOf(30);
    const disks = await equalDisks(lanes.slice(0, 10));
    for (const lane of lanes.slice(10)) await disks[1].write(lane);
    const [a, b] = hosts(disks, { limits: { openingDocumentsMax: 2 } });
    let dropped = 0;
    const passes = (bytes: Uint8Array): boolean => {
      const frame = decodeFrame(bytes)!;
      const isLast = frame.name !== "offering" || frame.documents === 0;
      if (!lost.has(frame.name) || !isLast) return true;
      dropped++;
      return false;
    };
    connect(a, b, 1);
    // Slowly, so that it says in between how many are left.
    const stores = a.holdStores();
    for (let round = 0; round < 15; round++) {
      await pass(a, b, 1_000, passes);
      for (const store of stores.splice(0)) store();
    }
    expect(seqsOf(a, lanes)).toEqual(seqsOf(b, lanes));
    expect(dropped).toBeGreaterThan(0);
    await pass(a, b, withinMs, passes);
    expect(a.replication.counters.librariesAgreed).toBeGreaterThan(0);
  });

  test("go on where they were when the connection ends at any frame", async () => {
    const lanes = await lanesOf(30);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 60 }), { maxLength: 4 }), async (cuts) => {
        const disks = await equalDisks(await lanesOf(10));
        for (const lane of await lanesOf(30)) {
          if (!disks[0].documents.has(lane.entry.id)) await disks[0].write(lane);
        }
        let [a, b] = hosts(disks);
        let key = 0;
        for (const cut of cuts) {
          connect(a, b, ++key);
          let left = 10 + cut;
          await exchange(a, b, () => left-- > 0);
          disconnect(a, b, key);
          const before = seqsOf(b, lanes);
          [a, b] = hosts([a.disk, b.disk]);
          expect(seqsOf(b, lanes)).toEqual(before);
        }
        connect(a, b, ++key);
        await exchange(a, b);
        await pass(a, b, 2_000);
        expect(seqsOf(b, lanes)).toEqual(seqsOf(a, lanes));
      }),
      { numRuns: 5 },
    );
  });
});

describe("[LIB-3] a peer that does not compare libraries", () => {
  test("is asked about all documents, as ever", async () => {
    const disk = new MemoryDisk();
    for (const lane of await lanesOf(5)) await disk.write(lane);
    const host = new MemoryHost(1, {}, disk);
    const peer = await RawPeer.greet(host, 1, 9, { features: 0 });
    peer.send({ name: "cursor", incarnation: undefined, arrival: 0, check: undefined });
    await host.drain();
    const heard = peer.heard();
    expect(framesOf(heard, "open")).toHaveLength(5);
    expect(framesOf(heard, "library")).toHaveLength(0);
    host.nowMs += 20_000;
    host.replication.tick(host.nowMs);
    await host.drain();
    expect(framesOf(peer.heard(), "library")).toHaveLength(0);
  });

  test("although it says so is asked about all of them in the end", async () => {
    const disk = new MemoryDisk();
    for (const lane of await lanesOf(5)) await disk.write(lane);
    const host = new MemoryHost(1, {}, disk);
    const peer = await RawPeer.greet(host, 1, 9, { features: HelloFeature.library });
    peer.send({ name: "cursor", incarnation: undefined, arrival: 0, check: undefined });
    await host.drain();
    expect(framesOf(peer.heard(), "open")).toHaveLength(0);
    const heard: Frame[] = [];
    for (let passed = 0; passed < 200_000; passed += 1_000) {
      host.nowMs += 1_000;
      peer.send({ name: "pong", token: 1 });
      host.replication.tick(host.nowMs);
      await host.drain();
      heard.push(...peer.heard());
    }
    expect(framesOf(heard, "open").length).toBeGreaterThanOrEqual(5);
    expect(host.replication.counters.librariesLost).toBeGreaterThanOrEqual(3);
  });
});

test("[LIB-4] frames of a comparison that nobody began, or that were damaged, change nothing", async () => {
  const disk = new MemoryDisk();
  for (const lane of await lanesOf(5)) await disk.write(lane);
  const host = new MemoryHost(1, {}, disk);
  const peer = await RawPeer.greet(host, 1, 9, { features: HelloFeature.library });
  const words = {
    comparison: 7,
    step: 3,
    root: noLibraryHash,
    documents: 0,
    flags: 0,
    nodes: [],
    wanted: [],
  };
  peer.send(libraryFrame(testHash, words));
  peer.send({ ...libraryFrame(testHash, { ...words, step: 0 }), documents: 3 });
  await host.drain();
  expect(framesOf(peer.heard(), "library")).toEqual([]);
  const { counters } = host.replication;
  expect([counters.librariesDamaged, counters.framesIgnored]).toEqual([1, 1]);
  // However often it begins: one answer for each, and one comparison at a time.
  for (let comparison = 0; comparison < 50; comparison++) {
    peer.send(libraryFrame(testHash, { ...words, step: 0, comparison }));
  }
  await host.drain();
  const answers = framesOf(peer.heard(), "library").length;
  expect(answers).toBeGreaterThan(0);
  expect(answers).toBeLessThanOrEqual(50);
  // First words that come twice: what follows would be taken for an answer to other words than it was.
  const ignored = counters.framesIgnored;
  peer.send(libraryFrame(testHash, { ...words, step: 0, comparison: 1 }));
  await host.drain();
  expect(framesOf(peer.heard(), "library")).toEqual([]);
  expect(counters.framesIgnored).toBe(ignored + 1);
  expect(host.replication.heldBytes).toBe(0);
});

test("[LIB-5] of very many documents a session keeps few open, and changes travel all the same", async () => {
  const lanes = await lanesOf(90);
  const disks: [MemoryDisk, MemoryDisk] = [new MemoryDisk(), new MemoryDisk()];
  for (const lane of lanes) await disks[0].write(lane);
  const [a, b] = hosts(disks, { limits: { restingDocumentsMax: 10 } });
  b.replication.want(lanes[2]!.entry, 0);
  connect(a, b, 1);
  await pass(a, b, 20_000);
  expect(seqsOf(b, lanes)).toEqual(seqsOf(a, lanes));
  expect(a.replication.documentCount).toBeLessThanOrEqual(11);
  expect(b.replication.documentCount).toBeLessThanOrEqual(11);
  expect(a.replication.counters.documentsRested).toBeGreaterThan(75);
  for (const lane of lanes.slice(0, 30)) await a.write(lane, 1);
  for (const lane of lanes.slice(30, 60)) await b.write(lane, 1);
  await a.write(lanes[2]!, 1);
  await pass(a, b, 20_000);
  expect(seqsOf(b, lanes)).toEqual(seqsOf(a, lanes));
  expect(seqsOf(b, lanes)[2]).toBe(3);
  expect([a, b].map(({ replication }) => replication.isSettled)).toEqual([true, true]);
});

test("[LIB-5] a first sync says how far it is", async () => {
  const lanes = await lanesOf(200);
  const disks: [MemoryDisk, MemoryDisk] = [new MemoryDisk(), new MemoryDisk()];
  for (const lane of lanes) await disks[0].write(lane);
  const [a, b] = hosts(disks, { limits: { restingDocumentsMax: 50 } });
  const stores = b.holdStores();
  connect(a, b, 1);
  for (let second = 0; second < 20; second++) {
    await pass(a, b, 1_000, undefined, 200);
    for (const store of stores.splice(0, 25)) store();
  }
  await pass(a, b, 5_000);
  const told = b.events.flatMap((event) => {
    return event.name === "sync.progress" ? [event.progress] : [];
  });
  const received = told.map(({ documentsReceived }) => documentsReceived);
  expect(received).toEqual(received.toSorted((x, y) => x - y));
  expect(told.length).toBeGreaterThan(4);
  const early = told[1]!;
  expect(early).toMatchObject({ isFirst: true, documentsTotal: 200 });
  expect(early.documentsDone).toBeLessThan(200);
  expect(early.documentsWanted).toBeGreaterThan(80);
  const last = { documentsDone: 200, documentsTotal: 200, documentsReceived: 200 };
  expect(told.at(-1)).toMatchObject({ ...last, documentsWanted: 0 });
  expect(told.at(-1)!.bytesReceived).toBeGreaterThan(200 * 40);
});
