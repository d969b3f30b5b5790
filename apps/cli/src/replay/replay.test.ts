import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { readFileSync } from "node:fs";

import { HeddleErrorCode } from "@heddle/core";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";

import type { CommandIo } from "../command-io.ts";
import type { ReplayOptions } from "./replay-options.ts";
import { replay } from "./replay.ts";
import { StockRelay } from "./stock-relay.fixture.ts";
import { findRecordedTrace, typewriterTrace, writeTrace } from "./traces.fixture.ts";

const silent: CommandIo = { out() {}, err() {}, isTTY: false };
const pangram = "the quick brown fox jumps over the lazy dog and then over the loom";
const synthetic = (seed: string, edits: number) => ({ kind: "synthetic", seed, edits }) as const;
const trace = (json: unknown) => ({ kind: "trace", path: writeTrace(json) }) as const;

async function run(relay: StockRelay, options: Partial<ReplayOptions>) {
  const source = synthetic("default", 100);
  const idleTimeoutMs = 20_000;
  return await replay({ url: relay.url, source, clients: 2, idleTimeoutMs, ...options }, silent);
}

interface RecordedTransaction {
  readonly agent: number;
  readonly parents: readonly number[];
  readonly patches: readonly (readonly [number, number, string])[];
}

/** The first transactions of a recorded trace and, by the recipe of its README, what they end with. */
function beginningOf(path: string, count: number) {
  const { txns } = JSON.parse(gunzipSync(readFileSync(path)).toString());
  const beginning = txns.slice(0, count) as RecordedTransaction[];
  const replicas = [1, 2].map((clientID) => Object.assign(new Y.Doc(), { clientID }));
  const updates: Uint8Array[] = [];
  const known = replicas.map(() => new Set<number>());
  for (const [index, { agent, parents, patches }] of beginning.entries()) {
    const doc = replicas[agent]!;
    const fresh = new Set<number>();
    const open = [...parents];
    for (let parent = open.pop(); parent !== undefined; parent = open.pop()) {
      if (known[agent]!.has(parent) || fresh.has(parent)) continue;
      fresh.add(parent);
      open.push(...beginning[parent]!.parents);
    }
    for (const ancestor of [...fresh].toSorted((a, b) => a - b)) {
      Y.applyUpdate(doc, updates[ancestor]!);
      known[agent]!.add(ancestor);
    }
    const before = Y.encodeStateVector(doc);
    doc.transact(() => {
      for (const [position, deleted, text] of patches) {
        doc.getText("text").delete(position, deleted);
        doc.getText("text").insert(position, text);
      }
    });
    updates[index] = Y.encodeStateAsUpdate(doc, before);
    known[agent]!.add(index);
  }
  const merged = new Y.Doc();
  for (const update of updates) Y.applyUpdate(merged, update);
  return { endContent: merged.getText("text").toString(), txns: beginning };
}

describe("an honest relay", () => {
  const recorded = findRecordedTrace("friendsforever");

  test.skipIf(recorded === undefined).each([1, 2, 5])(
    "two recorded people end with the same text through %i clients",
    async (clients) => {
      await using relay = await StockRelay.open();
      const source = trace(beginningOf(recorded!, 3_000));
      const report = await run(relay, { source, clients, runLength: 100 });
      expect(report).toMatchObject({ verdict: "equal", transactions: 3_000, agents: 2 });
      expect(report.replicas).toHaveLength(clients + 1);
      expect(report.latencyMs?.samples ?? 0).toBe(3_000 * (clients - 1));
    },
  );

  test("one author is handed from client to client", async () => {
    await using relay = await StockRelay.open();
    const source = trace({ startContent: "", ...typewriterTrace(pangram, 20) });
    const report = await run(relay, { source, clients: 3, runLength: 4, window: 2 });
    expect(report).toMatchObject({ verdict: "equal", transactions: pangram.length + 20 });
  });

  test("modelled people end with the same text", async () => {
    await using relay = await StockRelay.open();
    const report = await run(relay, { source: synthetic("spool", 1_500), clients: 4 });
    expect(report).toMatchObject({ verdict: "equal", clients: 4, agents: 4 });
    expect(report.expectedLength).toBeGreaterThan(0);
  });

  test("a relay that dies with its memory and comes back changes nothing", async () => {
    const relay = await StockRelay.open();
    const { port } = relay;
    const replaying = run(relay, { source: synthetic("phoenix", 6_000), clients: 3 });
    await sleep(300);
    await relay.kill();
    await sleep(100);
    await using revived = await StockRelay.open({ port });
    const report = await replaying;
    expect(report).toMatchObject({ verdict: "equal", url: `${revived.url}/` });
    expect(report.reconnects).toBeGreaterThanOrEqual(3);
  });

  test("a document that is not new is refused", async () => {
    await using relay = await StockRelay.open();
    const documentName = "used";
    await run(relay, { documentName });
    await expect(run(relay, { documentName })).rejects.toThrow(
      expect.objectContaining({ code: HeddleErrorCode.configInvalid }),
    );
  });
});

// Goal: no verdict "equal" when the content is not.
// Method: a stock relay that damages exactly one thing, and a short patience.
describe("a relay that damages", () => {
  const idleTimeoutMs = 700;

  test("[APP-1] a lost insert is not called equal", async () => {
    await using relay = await StockRelay.open({
      tamper: (update, order) => (order === 30 ? undefined : update),
    });
    const report = await run(relay, { source: trace(typewriterTrace(pangram)), idleTimeoutMs });
    expect(report.verdict).toBe("timed-out");
    expect(report.awaited).toContain("client 1 is connected and lacks transaction 30");
  });

  test("nobody types before what they build on came through the relay", async () => {
    await using relay = await StockRelay.open({
      tamper: (update, order) => (order === 30 ? undefined : update),
    });
    const source = trace(typewriterTrace(pangram));
    const report = await run(relay, { source, idleTimeoutMs, runLength: 40 });
    expect(report).toMatchObject({ verdict: "timed-out", transactions: 40 });
    expect(report.awaited).toContain("client 1 types transaction 40 once what it builds on");
  });

  test("[APP-1] a lost delete is not called equal, although it moves no state vector", async () => {
    const last = pangram.length + 5 - 1;
    await using relay = await StockRelay.open({
      tamper: (update, order) => (order === last ? undefined : update),
    });
    const source = trace(typewriterTrace(pangram, 5));
    const report = await run(relay, { source, idleTimeoutMs });
    expect(report.verdict).toBe("timed-out");
    expect(report.awaited).toContain(`lacks transaction ${last}`);
  });

  test("[APP-1] a garbled letter is not called equal, although nothing is missing", async () => {
    await using relay = await StockRelay.open({ tamper: garbleLetter(30) });
    const report = await run(relay, { source: trace(typewriterTrace(pangram)), idleTimeoutMs });
    expect(report.verdict).toBe("not-equal");
    const differing = report.replicas.filter(({ isEqual }) => !isEqual);
    expect(differing.map(({ replica, firstDifference }) => [replica, firstDifference])).toEqual([
      ["client 1", 30],
      ["late client", 30],
    ]);
  });

  test("[APP-1] a lost edit of modelled people is not called equal", async () => {
    await using relay = await StockRelay.open({
      tamper: (update, order) => (order === 200 ? undefined : update),
    });
    const report = await run(relay, {
      source: synthetic("moth", 1_000),
      clients: 3,
      idleTimeoutMs,
    });
    expect(report.verdict).toBe("timed-out");
  });

  test("[APP-1] a relay that forwards but does not keep is found by the late client", async () => {
    await using relay = await StockRelay.open({
      swapDocument: (order, name) => (order === 2 ? "empty" : name),
    });
    const report = await run(relay, { source: trace(typewriterTrace(pangram)), idleTimeoutMs });
    expect(report.verdict).toBe("timed-out");
    expect(report.replicas.map(({ isEqual }) => isEqual)).toEqual([true, true, false]);
  });

  test("[APP-1] a letter that nobody typed is not called equal", async () => {
    await using relay = await StockRelay.open({
      tamper: (update, order) => {
        if (order === 40) relay.insertItself("!");
        return update;
      },
    });
    const report = await run(relay, { source: synthetic("ghost", 500), idleTimeoutMs });
    expect(report.verdict).toBe("not-equal");
    expect(report.replicas.map(({ isEqual }) => isEqual)).toEqual([false, false, false]);
  });

  test("a relay that is not there ends in a time-out that says so", async () => {
    const relay = await StockRelay.open();
    const { url } = relay;
    await relay.kill();
    const report = await replay(
      { url, source: synthetic("nobody", 10), clients: 1, idleTimeoutMs },
      silent,
    );
    expect(report).toMatchObject({ verdict: "timed-out", transactions: 0 });
    expect(report.awaited).toContain("client 0 is not connected");
  });
});

/** Turns the letter of update number `at` into another one and leaves its ids alone. */
function garbleLetter(at: number) {
  return (update: Buffer, order: number) => {
    // An insert ends with its letter and an empty delete set.
    if (order === at) update[update.length - 2]! ^= 1;
    return update;
  };
}
