import { expect, test } from "vitest";

import { FixtureLane, testEntry } from "./environment.fixture.ts";
import { decodeFrame } from "./frame.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";

// Goal: a document that nobody wants any more leaves the memory of both sides, and nothing of it is lost.

/** An application that opens some documents and closes them again. */
const closing = { adopt: false, follow: false } as const;

/** Names of the frames that `from` sends, kept in `names`; all of them arrive but those that `loses` names. */
function noting(from: MemoryHost, names: string[], loses?: string) {
  return (bytes: Uint8Array, sender: MemoryHost): boolean => {
    const { name } = decodeFrame(bytes)!;
    if (sender === from) names.push(name);
    return sender !== from || name !== loses;
  };
}

test("[WIR-23] a document that is not wanted any more is closed on both sides, after all that it owes", async () => {
  const lane = await FixtureLane.open(1);
  const [app, relay] = [new MemoryHost(1, closing), new MemoryHost(2)];
  connect(app, relay, 1);
  app.replication.want(lane.entry, app.nowMs);
  await exchange(app, relay);
  await app.write(lane, 3);
  app.replication.unwant(lane.entry.id);
  const names: string[] = [];
  await pass(app, relay, 10_000, noting(app, names));
  expect(names.filter((name) => name === "close")).toHaveLength(1);
  expect(names.indexOf("close")).toBeGreaterThan(names.lastIndexOf("push"));
  expect(relay.disk.documents.get(lane.entry.id)!.log).toHaveLength(3);
  expect(app.replication.outbox.size).toBe(0);
  for (const { replication } of [app, relay]) {
    expect(replication.documentCount).toBe(0);
    expect(replication.counters).toMatchObject({ framesRefused: 0, refsUnknown: 0 });
  }

  // Written while it is closed here, by somebody else.
  const other = await FixtureLane.open(3, lane.entry);
  await relay.write(other, 2);
  await pass(app, relay, 60_000);
  expect(app.disk.documents.get(lane.entry.id)!.log).toHaveLength(3);
  app.replication.want(lane.entry, app.nowMs);
  await exchange(app, relay);
  expect(app.disk.documents.get(lane.entry.id)!.log).toHaveLength(5);
});

test("[WIR-23] what is wanted again before it was closed goes on, and who still wants it is not cut off", async () => {
  const lane = await FixtureLane.open(1);
  const [app, peer] = [new MemoryHost(1, closing), new MemoryHost(2, closing)];
  connect(app, peer, 1);
  for (const { replication, nowMs } of [app, peer]) replication.want(lane.entry, nowMs);
  await exchange(app, peer);
  app.replication.unwant(lane.entry.id);
  app.replication.want(lane.entry, app.nowMs);
  const names: string[] = [];
  await pass(app, peer, 5_000, noting(app, names));
  expect(names).not.toContain("close");
  app.replication.unwant(lane.entry.id);
  await pass(app, peer, 5_000, noting(app, names));
  expect(names.filter((name) => name === "close")).toHaveLength(1);
  await peer.write(await FixtureLane.open(2, lane.entry), 2);
  await pass(app, peer, 30_000);
  app.replication.want(lane.entry, app.nowMs);
  await pass(app, peer, 40_000);
  expect(app.disk.documents.get(lane.entry.id)!.log).toHaveLength(2);
  expect(peer.replication.isSettled).toBe(true);
});

test("[WIR-23] more documents than one session holds are opened one after the other", async () => {
  const limits = { documentsPerSessionMax: 2 };
  const [app, relay] = [new MemoryHost(1, { ...closing, limits }), new MemoryHost(2, { limits })];
  connect(app, relay, 1);
  for (let index = 0; index < 5; index++) {
    const lane = await FixtureLane.open(4, testEntry(`document ${index}`));
    app.replication.want(lane.entry, app.nowMs);
    await app.write(lane, 1);
    await exchange(app, relay);
    app.replication.unwant(lane.entry.id);
    await pass(app, relay, 5_000);
    expect(relay.disk.documents.get(lane.entry.id)?.log).toHaveLength(1);
  }
  expect(relay.replication.counters.framesRefused).toBe(0);
});

test("[WIR-23] a CLOSE that is lost costs a question now and then, and the document can be opened again", async () => {
  const lane = await FixtureLane.open(1);
  const [app, relay] = [new MemoryHost(1, closing), new MemoryHost(2)];
  connect(app, relay, 1);
  app.replication.want(lane.entry, app.nowMs);
  await app.write(lane, 1);
  await exchange(app, relay);
  app.replication.unwant(lane.entry.id);
  await pass(app, relay, 5_000, noting(app, [], "close"));
  expect(relay.replication.documentCount).toBe(1);
  await relay.write(await FixtureLane.open(3, lane.entry), 1);
  const before = relay.replication.counters.framesSent;
  await pass(app, relay, 60_000);
  expect(relay.replication.counters.framesSent - before).toBeLessThan(60);
  app.replication.want(lane.entry, app.nowMs);
  await pass(app, relay, 40_000);
  expect(app.disk.documents.get(lane.entry.id)!.log).toHaveLength(2);
});
