import { bytesOfId, storeId, toHex, type DocumentId } from "@heddle/core";
import { describe, expect, test } from "vitest";

import { FixtureLane, lanesOf, testEntry } from "./environment.fixture.ts";
import { RefusedCode } from "./frame-shapes.ts";
import { decodeFrame, type Frame } from "./frame.ts";
import { countingBytes } from "./frames.fixture.ts";
import { MemoryDisk } from "./memory-disk.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, disconnect, exchange, pass } from "./memory-wire.fixture.ts";
import { RawPeer } from "./raw-peer.fixture.ts";
import type { ReplicationOptions } from "./sync-context.ts";

// Goal: what a peer is not to have it never hears of, and everything else goes on as if there were none of it.

const secrets = [3, 4, 41];

/** A host that has 60 documents, and keeps some of them from everybody else. */
async function keeper(lanes: readonly FixtureLane[], disk = new MemoryDisk()) {
  for (const lane of lanes) if (!disk.documents.has(lane.entry.id)) await disk.write(lane);
  const withheld = new Set<DocumentId>(secrets.map((index) => lanes[index]!.entry.id));
  const changes: Partial<ReplicationOptions> = { mayOffer: (_, { id }) => !withheld.has(id) };
  return { host: new MemoryHost(1, changes, disk), withheld };
}

/** Lets everything pass, and keeps what `from` sends. */
function heardFrom(from: MemoryHost, said: Uint8Array[]) {
  return (bytes: Uint8Array, sender: MemoryHost): boolean => {
    if (sender === from) said.push(bytes);
    return true;
  };
}

const framesIn = (said: readonly Uint8Array[]): Frame[] => said.map((bytes) => decodeFrame(bytes)!);
const seqAt = ({ disk }: MemoryHost, { entry, descriptor }: FixtureLane) =>
  disk.documents.get(entry.id)?.vector.get(descriptor.id)?.seq ?? 0;

describe("[LIB-6] a document that a peer may not have", () => {
  test("is in nothing that it is told, and the two agree about the rest", async () => {
    const lanes = await lanesOf(60);
    const shared = new MemoryDisk();
    // So few that the peer says them in one leaf, and is told of what is in its place.
    for (const lane of lanes.slice(0, 30)) if (!isSecret(lanes, lane)) await shared.write(lane);
    const { host: a } = await keeper(lanes, shared.clone());
    const b = new MemoryHost(2, {}, shared);
    await b.disk.write(lanes[7]!);
    const said: Uint8Array[] = [];
    connect(a, b, 1);
    await exchange(a, b, heardFrom(a, said));
    await pass(a, b, 5_000, heardFrom(a, said));
    await a.write(lanes[4]!, 1);
    await pass(a, b, 15_000, heardFrom(a, said));
    for (const [index, lane] of lanes.entries()) {
      expect(seqAt(b, lane), `document ${index}`).toBe(isSecret(lanes, lane) ? 0 : seqAt(a, lane));
    }
    const all = said.map(toHex).join(" ");
    for (const index of secrets) {
      expect(all).not.toContain(toHex(bytesOfId(lanes[index]!.entry.id)));
    }
    const { counters } = a.replication;
    expect(counters.librariesAgreed).toBeGreaterThan(0);
    expect(counters.documentsWithheld).toBeGreaterThan(0);
    const told = b.events.findLast(({ name }) => name === "library.compared");
    expect(told).toMatchObject({ isEqual: true, documents: 57, documentsThere: 57 });
    expect([a, b].every(({ replication }) => replication.isSettled)).toBe(true);
  });

  test("is not counted with what the peer is known to have, and is brought over once it may have it", async () => {
    const lanes = await lanesOf(60);
    const disk = new MemoryDisk();
    const { host: first } = await keeper(lanes, disk);
    const b = new MemoryHost(2);
    connect(first, b, 1);
    await pass(first, b, 10_000);
    for (const lane of [lanes[3]!, lanes[5]!]) await first.write(lane, 2);
    await pass(first, b, 10_000);
    const store = storeId(countingBytes(16, 2));
    disconnect(first, b, 1);
    const { host: a, withheld } = await keeper(lanes, first.disk);
    const again = new MemoryHost(2, {}, b.disk);
    connect(a, again, 2);
    await pass(a, again, 10_000);
    const held = (lane: FixtureLane) =>
      a.replication.outboxTo(store).get(lane.entry.id)?.count ?? 0;
    expect([held(lanes[3]!), held(lanes[5]!)]).toEqual([3, 0]);
    expect(seqAt(again, lanes[3]!)).toBe(0);
    withheld.clear();
    await pass(a, again, 11 * 60_000, undefined, 2_000);
    expect(secrets.map((index) => seqAt(again, lanes[index]!))).toEqual([3, 1, 1]);
    expect(held(lanes[3]!)).toBe(0);
  });

  test("is refused when the peer opens it, and what it brings of it is not taken", async () => {
    const lanes = await lanesOf(60);
    const shared = new MemoryDisk();
    await shared.write(lanes[3]!);
    const { host: a, withheld } = await keeper(lanes, shared.clone());
    // One at a time: what is refused keeps nothing else waiting.
    const b = new MemoryHost(2, { limits: { openingDocumentsMax: 1 } }, shared);
    const others = (await lanesOf(70)).slice(60);
    for (const lane of others) await b.disk.write(lane);
    // It has heard of one elsewhere, and somebody there has it open; the other one is new everywhere.
    await b.disk.write(lanes[3]!, 3);
    const unknown = await FixtureLane.open(9, testEntry("nowhere"));
    await b.disk.write(unknown);
    withheld.add(unknown.entry.id);
    b.replication.want(lanes[3]!.entry, 0);
    const said: Uint8Array[] = [];
    connect(a, b, 1);
    await exchange(a, b, heardFrom(a, said));
    await pass(a, b, 20_000, heardFrom(a, said));
    const refused = framesIn(said).filter((frame) => frame.name === "refused");
    const code = RefusedCode.withheld;
    const both = [lanes[3]!.entry.id, unknown.entry.id].toSorted();
    expect(refused.map(({ document }) => document).toSorted()).toEqual(both);
    expect(refused.every((frame) => frame.code === code)).toBe(true);
    const told = b.events.filter((event) => event.name === "document.refused");
    expect(told.map(({ document }) => document).toSorted()).toEqual(both);
    expect([seqAt(a, lanes[3]!), seqAt(a, unknown), seqAt(b, lanes[3]!)]).toEqual([1, 0, 4]);
    expect(others.filter((lane) => seqAt(a, lane) === 0)).toEqual([]);
    expect(
      framesIn(said).some((frame) => "documentName" in frame && frame.documentName === "nowhere"),
    ).toBe(false);
    // Neither of the two is in what they compare.
    expect(a.replication.counters.librariesAgreed).toBeGreaterThan(0);
    expect(b.replication.counters.documentsRefused).toBe(2);
    expect([a, b].every(({ replication }) => replication.isSettled)).toBe(true);
    // Once it may have it, whoever opens it first is enough.
    withheld.clear();
    a.replication.want(lanes[3]!.entry, a.nowMs);
    await pass(a, b, 5_000);
    expect([seqAt(a, lanes[3]!), seqAt(b, lanes[3]!)]).toEqual([4, 4]);
  });

  test("is given to another process of this device", async () => {
    const lanes = await lanesOf(60);
    const { host: a } = await keeper(lanes);
    const disk = new MemoryDisk();
    disk.incarnations.push({ nonce: countingBytes(16, 9), firstArrival: ++disk.arrivals });
    const b = new MemoryHost(1, { store: storeId(countingBytes(16, 2)) }, disk);
    connect(a, b, 1);
    await pass(a, b, 5_000);
    expect(secrets.map((index) => seqAt(b, lanes[index]!))).toEqual([1, 1, 1]);
  });

  test("is not opened for a peer that does not compare, and REFUSED for what was not opened is not heard", async () => {
    const lanes = await lanesOf(60);
    const { host, withheld } = await keeper(lanes);
    const peer = await RawPeer.greet(host, 1, 9, { features: 0 });
    peer.send({ name: "cursor", incarnation: undefined, arrival: 0, check: undefined });
    peer.send({ name: "refused", document: lanes[9]!.entry.id, code: 1 });
    await host.drain();
    const opened = peer.heard().flatMap((frame) => (frame.name === "open" ? [frame.document] : []));
    expect(opened).toHaveLength(57);
    expect(opened.some((document) => withheld.has(document))).toBe(false);
    expect(host.replication.counters.framesIgnored).toBe(1);
  });
});

function isSecret(lanes: readonly FixtureLane[], lane: FixtureLane): boolean {
  return secrets.some((index) => lanes[index] === lane);
}
