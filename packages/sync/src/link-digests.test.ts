import type { DocumentId } from "@heddle/core";
import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { decodeFrame, encodeFrame } from "./frame.ts";
import { countingBytes } from "./frames.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";
import type { SyncLimits } from "./sync-limits.ts";

// Goal: two replicas with one log and two documents hear of it, and nobody else does.

async function settledPair(limits: Partial<SyncLimits> = {}): Promise<[MemoryHost, MemoryHost]> {
  const lane = await FixtureLane.open(1);
  const [writer, reader] = [new MemoryHost(1, { limits }), new MemoryHost(2, { limits })];
  connect(writer, reader, 1);
  await writer.write(lane, 3);
  await exchange(writer, reader);
  return [writer, reader];
}

function shows(host: MemoryHost, first: number, content?: number, engine = "test"): void {
  host.digest = (log) => ({
    outcome: "digests",
    log,
    state: countingBytes(32, first),
    content: content === undefined ? undefined : countingBytes(32, content),
    engine,
  });
}

function driftsOf(hosts: readonly MemoryHost[]): number[] {
  return hosts.map(({ events }) => events.filter(({ name }) => name === "document.drifted").length);
}

test("[WIR-17] equal logs and unequal documents are reported once, on both sides, with both digests", async () => {
  const pair = await settledPair();
  shows(pair[0], 1, 5);
  shows(pair[1], 1, 6);
  await pass(...pair, 120_000);
  expect(driftsOf(pair)).toEqual([1, 1]);
  expect(pair[0].events).toContainEqual(
    expect.objectContaining({
      name: "document.drifted",
      ours: expect.objectContaining({ content: countingBytes(32, 5) }),
      theirs: expect.objectContaining({ content: countingBytes(32, 6) }),
    }),
  );
  expect(pair[0].replication.counters.drifts).toBe(1);
});

test("[WIR-17] equal documents, other engines and one damaged frame are no drift", async () => {
  const equal = await settledPair();
  for (const host of equal) shows(host, 1, 2);
  await pass(...equal, 10_000);
  expect(equal[0].replication.counters.digestsCompared).toBeGreaterThan(0);
  expect(driftsOf(equal)).toEqual([0, 0]);

  const engines = await settledPair();
  shows(engines[0], 1);
  shows(engines[1], 2, undefined, "another");
  await pass(...engines, 10_000);
  expect(driftsOf(engines)).toEqual([0, 0]);

  const damaged = await settledPair();
  for (const host of damaged) shows(host, 1);
  let count = 0;
  await pass(...damaged, 10_000, (bytes, from) => {
    const frame = decodeFrame(bytes)!;
    if (frame.name !== "digest" || from !== damaged[0] || count++ > 0) return true;
    const state = countingBytes(32, 77);
    damaged[1].replication.receive(1, encodeFrame({ ...frame, state }), damaged[1].nowMs);
    return false;
  });
  expect(count).toBeGreaterThan(1);
  expect(driftsOf(damaged)).toEqual([0, 0]);
});

test("[WIR-17] a replica without the document at hand says nothing and compares nothing", async () => {
  const pair = await settledPair();
  shows(pair[0], 1);
  await pass(...pair, 10_000);
  expect(pair[1].replication.counters.digestsCompared).toBe(0);
  expect(driftsOf(pair)).toEqual([0, 0]);
});

test("[WIR-17] what lies still is compared again once in an audit interval, and so found when it is damaged later", async () => {
  const pair = await settledPair({ digestAuditMs: 60_000 });
  for (const host of pair) shows(host, 1, 5);
  await pass(...pair, 10_000);
  expect(driftsOf(pair)).toEqual([0, 0]);
  shows(pair[1], 1, 6);
  await pass(...pair, 40_000);
  expect(driftsOf(pair)).toEqual([0, 0]);
  await pass(...pair, 30_000);
  expect(driftsOf(pair)).toEqual([1, 1]);
});

test("[WIR-17] when a checkpoint stands for all of it, content is compared as well, once", async () => {
  const pair = await settledPair();
  const [id] = [...pair[0].disk.documents.keys()] as [DocumentId];
  let thorough = 0;
  for (const host of pair) {
    host.digest = (log, isThorough) => {
      if (isThorough && host === pair[0]) thorough++;
      const content = isThorough ? countingBytes(32, host === pair[0] ? 5 : 6) : undefined;
      return { outcome: "digests", log, state: countingBytes(32, 1), content, engine: "test" };
    };
  }
  await pass(...pair, 60_000);
  expect(thorough).toBe(0);
  await pair[0].checkpoint(pair[0].disk.documents.get(id)!.entry, countingBytes(8), false);
  await pass(...pair, 60_000);
  expect(driftsOf(pair)).toEqual([1, 1]);
  const asked = thorough;
  await pass(...pair, 120_000);
  expect(thorough).toBe(asked);
});

test("[WIR-17] who has repaired a document asks, and both sides hear that they agree, or that they still do not", async () => {
  const pair = await settledPair();
  shows(pair[0], 1, 5);
  shows(pair[1], 1, 6);
  await pass(...pair, 40_000);
  expect(driftsOf(pair)).toEqual([1, 1]);
  const [id] = [...pair[0].disk.documents.keys()] as [DocumentId];
  pair[0].replication.compare(id, pair[0].nowMs);
  await pass(...pair, 5_000);
  expect(driftsOf(pair)[0]).toBe(2);
  shows(pair[0], 1, 6);
  pair[0].replication.compare(id, pair[0].nowMs);
  await pass(...pair, 5_000);
  const agreed = { name: "document.agreed", document: id };
  for (const { events } of pair) expect(events).toContainEqual(expect.objectContaining(agreed));
});

test("[DRF-8][WIR-17] who leaves something else out of one log is heard of on both sides, and accused on neither", async () => {
  const pair = await settledPair();
  shows(pair[0], 1, 5, "test without 00ff");
  shows(pair[1], 1, 6);
  let digests = 0;
  const counted = (bytes: Uint8Array): boolean => {
    if (decodeFrame(bytes)?.name === "digest") digests++;
    return true;
  };
  await pass(...pair, 10_000, counted);
  const toldOf = () =>
    pair.map(({ events }) => events.filter(({ name }) => name === "document.incomparable").length);
  expect(toldOf()).toEqual([1, 1]);
  const [id] = [...pair[0].disk.documents.keys()] as [DocumentId];
  pair[0].replication.compare(id, pair[0].nowMs);
  await pass(...pair, 5_000, counted);
  // Who asks and who is asked are told again; the answer asks nothing back.
  expect(toldOf()).toEqual([2, 2]);
  expect(digests).toBeLessThan(8);
  expect(driftsOf(pair)).toEqual([0, 0]);
});

test("[DRF-7] a document whose disk is other than it was told is exchanged on a session of its own", async () => {
  const pair = await settledPair();
  const [id] = [...pair[0].disk.documents.keys()] as [DocumentId];
  pair[0].replication.want(pair[0].disk.documents.get(id)!.entry, pair[0].nowMs);
  pair[0].replication.reload(id, pair[0].nowMs);
  await pass(...pair, 1_000);
  const ended = pair.map(({ events }) => events.some(({ name }) => name === "session.closed"));
  expect(ended).toEqual([true, true]);
  expect(pair[0].replication.counters.documentsUnreadable).toBe(0);
  connect(...pair, 2);
  await pass(...pair, 2_000);
  const settled = pair[1].events.filter(({ name }) => name === "document.settled");
  expect(settled).toHaveLength(2);
});
