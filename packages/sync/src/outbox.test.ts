import { storeId } from "@heddle/core";
import { expect, test } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { countingBytes } from "./frames.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, disconnect, exchange, pass } from "./memory-wire.fixture.ts";
import { PeerRole } from "./sync-context.ts";
import type { KeptAck } from "./sync-effects.ts";

// Goal: what waits for whom is known at any time, over restarts, and never believed too far.

const reader = () => new MemoryHost(2);
const storeOf = (host: MemoryHost) => storeId(countingBytes(16, host.seed));

/** A process with the disk of `host`, after it ended. */
function restarted(host: MemoryHost): MemoryHost {
  return new MemoryHost(host.seed, {}, host.disk);
}

test("[WIR-18] the outbox has count, bytes and age right after a start, for documents that nobody has open", async () => {
  const lane = await FixtureLane.open(1);
  const [first, peer] = [new MemoryHost(1), reader()];
  connect(first, peer, 1);
  await first.write(lane, 5);
  await exchange(first, peer);
  await pass(first, peer, 3_000);
  expect(first.replication.outboxTo(storeOf(peer))).toEqual(new Map());
  disconnect(first, peer, 1);
  await first.write(lane, 2);

  const { log } = first.disk.documents.get(lane.entry.id)!;
  const bytes = log.slice(5).reduce((sum, envelope) => sum + envelope.bytes.length, 0);
  const oldestMs = log[5]!.hlc.wallMs;
  const waiting = new Map([[lane.entry.id, { count: 2, bytes, oldestMs }]]);
  const second = restarted(first);
  expect(second.replication.documentCount).toBe(0);
  expect(second.replication.outboxTo(storeOf(peer))).toEqual(waiting);
});

test("[WIR-18] acknowledgements are kept together: at most one write a second for a document", async () => {
  const lane = await FixtureLane.open(1);
  const [writer, peer] = [new MemoryHost(1), reader()];
  connect(writer, peer, 1);
  for (let second = 0; second < 10; second++) {
    for (let edit = 0; edit < 5; edit++) {
      await writer.write(lane, 1);
      await exchange(writer, peer);
    }
    await pass(writer, peer, 1_000, undefined, 100);
  }
  await pass(writer, peer, 2_000, undefined, 100);
  const kept = writer.kept.filter(({ type }) => type === "keepAcks");
  expect(kept.length).toBeGreaterThan(5);
  expect(kept.length).toBeLessThan(25);
  const [ack] = writer.disk.acks.values();
  const { log } = writer.disk.documents.get(lane.entry.id)!;
  expect(ack).toMatchObject({ seq: 50, head: log.at(-1)!.id, store: storeOf(peer) });
});

test("[WIR-18] of another incarnation acknowledgements count again once the peer shows how far it followed", async () => {
  const lanes = [1, 3].map((seed) => FixtureLane.open(seed, testEntry(`note ${seed}`)));
  const [changed, quiet] = (await Promise.all(lanes)) as [FixtureLane, FixtureLane];
  const [writer, peer] = [new MemoryHost(1), reader()];
  connect(writer, peer, 1);
  for (const lane of [changed, quiet]) await writer.write(lane, 4);
  await exchange(writer, peer);
  await pass(writer, peer, 5_000);
  disconnect(writer, peer, 1);
  await writer.write(changed, 1);

  const again = restarted(peer);
  connect(writer, again, 2);
  await exchange(writer, again);
  await pass(writer, again, 5_000);
  expect(writer.replication.outboxTo(storeOf(peer))).toEqual(new Map());
  const { id } = quiet.entry;
  // It was not opened: the peer's cursor was enough.
  expect(writer.replication.confirmedBy(2, id, quiet.descriptor.id)).toBe(0);
  expect(writer.replication.replicatedBy(id, quiet.descriptor.id, 4).stores).toBe(1);
});

test("[WIR-18] what peers were known to have at a start is kept over their next incarnations, and the starts after", async () => {
  let [writer, peer] = [new MemoryHost(1), reader()];
  for (let life = 1; life <= 4; life++) {
    const lane = await FixtureLane.open(10 + life, testEntry("written in each life"));
    connect(writer, peer, life);
    await writer.write(lane, 3);
    await exchange(writer, peer);
    await pass(writer, peer, 5_000);
    expect(writer.replication.outboxTo(storeOf(peer))).toEqual(new Map());
    disconnect(writer, peer, life);
    await writer.drain();
    [writer, peer] = [restarted(writer), restarted(peer)];
    expect(writer.replication.outboxTo(storeOf(peer))).toEqual(new Map());
  }
});

test("[WIR-18] the word of a store that was rolled back is void, and what it lost is sent again", async () => {
  const lane = await FixtureLane.open(1);
  const [writer, peer] = [new MemoryHost(1), reader()];
  connect(writer, peer, 1);
  await writer.write(lane, 2);
  await exchange(writer, peer);
  const backup = peer.disk.clone();
  await writer.write(lane, 6);
  await exchange(writer, peer);
  await pass(writer, peer, 3_000);
  const { id } = lane.entry;
  expect(writer.replication.replicatedBy(id, lane.descriptor.id, 8).stores).toBe(1);
  disconnect(writer, peer, 1);

  const restored = new MemoryHost(peer.seed, {}, backup);
  connect(writer, restored, 2);
  // Greeted, and nothing else is heard yet.
  for (let round = 0; round < 2; round++) {
    for (const host of [writer, restored]) await host.drain();
    for (const { bytes } of writer.sent.splice(0)) restored.replication.receive(2, bytes, 0);
    for (const { bytes } of restored.sent.splice(0)) writer.replication.receive(2, bytes, 0);
  }
  await writer.drain();
  expect(writer.replication.replicatedBy(id, lane.descriptor.id, 8).stores).toBe(0);
  await exchange(writer, restored);
  await pass(writer, restored, 5_000);
  expect(restored.disk.documents.get(id)!.log).toHaveLength(8);
  expect(writer.replication.replicatedBy(id, lane.descriptor.id, 8).stores).toBe(1);
});

test("[WIR-18] what a process said that is gone takes nothing back of what its next one proved", async () => {
  const lane = await FixtureLane.open(1);
  const [writer, gone] = [new MemoryHost(1), reader()];
  await writer.write(lane, 4);
  connect(writer, gone, 1);
  await gone.drain();
  const late = gone.sent.splice(0);
  await writer.drain();
  for (const { bytes } of writer.sent.splice(0)) gone.replication.receive(1, bytes, 0);
  await gone.drain();
  late.push(...gone.sent.splice(0));

  // It died, nobody noticed, and its next process is here before its last words are.
  const next = restarted(gone);
  connect(writer, next, 2);
  await exchange(writer, next);
  await pass(writer, next, 3_000);
  expect(writer.replication.outboxTo(storeOf(next))).toEqual(new Map());
  for (const { bytes } of late) writer.replication.receive(1, bytes, writer.nowMs);
  await exchange(writer, next);
  const { id } = lane.entry;
  const live = writer.events.filter(({ name }) => name === "session.live");
  expect(live).toHaveLength(2);
  expect(writer.replication.outboxTo(storeOf(next))).toEqual(new Map());
  expect(writer.replication.replicatedBy(id, lane.descriptor.id, 4).stores).toBe(1);
});

test("[WIR-18] distinct stores are counted, a relay among them is said, and each is an event", async () => {
  const lane = await FixtureLane.open(1);
  const relay = new MemoryHost(3, { role: PeerRole.relay });
  const [writer, peer] = [new MemoryHost(1), reader()];
  const { id: document } = lane.entry;
  const by = () => writer.replication.replicatedBy(document, lane.descriptor.id, 3);
  await writer.write(lane, 3);
  expect(by()).toEqual({ stores: 0, isRelayed: false });
  connect(writer, peer, 1);
  await exchange(writer, peer);
  expect(by()).toEqual({ stores: 1, isRelayed: false });
  disconnect(writer, peer, 1);
  connect(writer, relay, 2);
  await exchange(writer, relay);
  expect(by()).toEqual({ stores: 2, isRelayed: true });
  const events = writer.events.filter((event) => event.name === "lane.replicated");
  expect(events.map(({ store, isRelay, seq }) => [store, isRelay, seq])).toEqual([
    [storeOf(peer), false, 3],
    [storeOf(relay), true, 3],
  ]);
});

test("[WIR-18] the acknowledgements of a store whose past is not known do not count", async () => {
  const lane = await FixtureLane.open(1);
  const writer = new MemoryHost(1);
  await writer.write(lane, 3);
  const [peer] = [reader()];
  const head = writer.disk.documents.get(lane.entry.id)!.log.at(-1)!.id;
  const place = { store: storeOf(peer), document: lane.entry.id, lane: lane.descriptor.id };
  const ack: KeptAck = {
    ...place,
    incarnation: countingBytes(16, 9),
    isRelay: false,
    seq: 3,
    head,
  };
  writer.disk.acks.set("kept", ack);
  const again = restarted(writer);
  expect(again.replication.replicatedBy(lane.entry.id, lane.descriptor.id, 3).stores).toBe(1);
  connect(again, peer, 1);
  for (let round = 0; round < 2; round++) {
    for (const host of [again, peer]) await host.drain();
    for (const { bytes } of again.sent.splice(0)) peer.replication.receive(1, bytes, 0);
    for (const { bytes } of peer.sent.splice(0)) again.replication.receive(1, bytes, 0);
  }
  await again.drain();
  expect(again.replication.replicatedBy(lane.entry.id, lane.descriptor.id, 3).stores).toBe(0);
});

test("[WIR-18] a long exchange says how far it is, and when it is done", async () => {
  const writer = new MemoryHost(1, { limits: { pushBytesMax: 300, creditBytes: 1_000 } });
  const peer = new MemoryHost(2, { limits: { creditBytes: 1_000 } });
  for (let number = 1; number <= 4; number++) {
    const lane = await FixtureLane.open(number, testEntry(`note ${number}`));
    await writer.write(lane, 4);
  }
  connect(writer, peer, 1);
  for (let round = 0; round < 6; round++) {
    for (const host of [writer, peer]) await host.drain();
    for (const { bytes } of writer.sent.splice(0)) peer.replication.receive(1, bytes, 0);
    for (const { bytes } of peer.sent.splice(0)) writer.replication.receive(1, bytes, 0);
  }
  await pass(writer, peer, 20_000);
  const reports = writer.events.flatMap((event) => {
    return event.name === "sync.progress" ? [event.progress] : [];
  });
  expect(reports.at(-1)).toMatchObject({
    documentsDone: 4,
    documentsTotal: 4,
    envelopesToSend: 0,
    envelopesToReceive: 0,
  });
  expect(reports.at(-1)!.bytesSent).toBeGreaterThan(1_000);
  expect(reports.length).toBeGreaterThan(1);
});

test("[CLT-7] what a tab of this device brought is this device's to send, and the tab counts as nobody's disk", async () => {
  // Both write for device 1; the tab's own store is gone with it.
  const lane = await FixtureLane.open(1);
  const [keeper, tab] = [new MemoryHost(1), new MemoryHost(3, { role: PeerRole.tab })];
  connect(keeper, tab, 1);
  await tab.write(lane, 3);
  await exchange(keeper, tab);
  expect(tab.replication.outbox).toEqual(new Map());
  expect(keeper.replication.outbox.get(lane.entry.id)).toMatchObject({ count: 3 });
  await pass(keeper, tab, 3_000);
  expect(keeper.replication.outbox.get(lane.entry.id)).toMatchObject({ count: 3 });

  const relay = new MemoryHost(2, { role: PeerRole.relay });
  connect(keeper, relay, 2);
  await exchange(keeper, relay);
  expect(keeper.replication.outbox).toEqual(new Map());
});

test("a document is told to be settled when neither side lacks anything, and again after news", async () => {
  const lane = await FixtureLane.open(1);
  const [writer, peer] = [new MemoryHost(1), reader()];
  const settled = () => writer.events.filter(({ name }) => name === "document.settled");
  connect(writer, peer, 1);
  await writer.write(lane, 2);
  await exchange(writer, peer);
  await pass(writer, peer, 1_000);
  expect(settled()).toEqual([{ name: "document.settled", peer: 1, document: lane.entry.id }]);
  await writer.write(lane, 1);
  await exchange(writer, peer);
  await pass(writer, peer, 1_000);
  expect(settled()).toHaveLength(2);
});
