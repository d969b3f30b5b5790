import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect, test } from "vitest";
import * as Y from "yjs";

import { memoryStore, startRelay } from "../integration/relay-under-test.ts";
import { connect, sleep, synced, until } from "../integration/stock-client.ts";
import { RelayProcess } from "../processes/relay-process.ts";
import { emptyVector, step1 } from "./client-messages.ts";
import { from, RawClient } from "./raw-client.ts";

const kiB = 1024;
const miB = 1024 * kiB;

/** Buffers of the operating system take the first megabytes of what is sent to a deaf client. */
const small = { sendBufferBytesMax: 256 * kiB, awarenessBufferBytesMax: 64 * kiB };

/** A stock client whose socket is not read, and what turns it into an ordinary one again. */
function pauseReading(client: ReturnType<typeof connect>): () => void {
  const { ws } = client.provider as unknown as { ws: { pause(): void; resume(): void } };
  ws.pause();
  return () => ws.resume();
}

test("[RLY-15] a client that stops reading is remembered, and ends equal when it reads again", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: small });
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  ada.text.insert(0, "to be deleted while Bo does not read; ");
  await until(() => bo.text.length > 0, "Bo reads");
  const resume = pauseReading(bo);
  const chunk = "x".repeat(100 * kiB);
  for (let count = 0; count < 200; count++) {
    ada.text.insert(ada.text.length, chunk);
    if (count === 150) ada.text.delete(0, 38);
    if (count % 10 === 0) await sleep(1);
  }
  const { counters } = relay.relay;
  await until(() => counters.sendsDropped > 0, "live traffic for Bo is dropped");
  await until(() => relay.replica.counters.admitted >= 202, "everything is taken");
  const { catchUps, sendsDropped } = counters;
  resume();
  await until(() => bo.text.length === ada.text.length, "Bo has it all");
  expect(bo.text.toString() === ada.text.toString()).toBe(true);
  // Once is enough for the one who fell behind: he is not dropped from frame by frame.
  expect(sendsDropped).toBeLessThan(10);
  expect(counters.catchUps).toBeGreaterThan(catchUps);
  ada.text.insert(0, "live again ");
  await until(() => bo.text.toString().startsWith("live again"), "and live traffic goes on");
  expect(counters.slowConsumersClosed).toBe(0);
  expect(Y.encodeStateVector(bo.ydoc)).toEqual(Y.encodeStateVector(ada.ydoc));
});

test("[RLY-15] presence is dropped before content, and made up for", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: small });
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  const resume = pauseReading(bo);
  const { counters } = relay.relay;
  for (let round = 0; round < 4_000 && counters.awarenessDropped === 0; round++) {
    ada.provider.awareness.setLocalStateField("scroll", `${round} ${"x".repeat(7_000)}`);
    if (round % 20 === 0) await sleep(1);
  }
  expect(counters.awarenessDropped).toBeGreaterThan(0);
  expect(counters.sendsDropped).toBe(0);
  ada.provider.awareness.setLocalStateField("scroll", "the end");
  resume();
  const seen = (): unknown => bo.provider.awareness.getStates().get(ada.ydoc.clientID)?.["scroll"];
  await until(() => seen() === "the end", "Bo sees where Ada is now");
});

test("[RLY-15] a byte that asks for the whole document is answered once until it is read", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: small });
  using ada = connect(relay.url, "notes");
  await synced(ada);
  ada.text.insert(0, "x".repeat(8 * miB));
  await until(() => relay.replica.counters.envelopes > 0, "it is stored");
  using mallory = await RawClient.upgrade(relay.url);
  mallory.stopReading();
  const { bytesSent, catchUps } = relay.relay.counters;
  mallory.send(step1(emptyVector));
  await until(() => relay.relay.counters.catchUps > catchUps, "the first is answered");
  for (let count = 0; count < 500; count++) mallory.send(step1(emptyVector));
  await until(() => relay.relay.counters.catchUpsDelayed > 400, "all but the first wait");
  expect(relay.relay.counters.bytesSent - bytesSent).toBeLessThan(17 * miB);
  mallory.readAgain();
  // What was remembered is one question, not five hundred.
  await until(() => mallory.receivedBytes > 16 * miB, "two answers");
  await sleep(200);
  expect(mallory.receivedBytes).toBeLessThan(17.5 * miB);
  expect(mallory.isClosed).toBe(false);
});

test("[RLY-13] who asks for the whole document again and again costs little and delays nobody", async () => {
  await using relay = await startRelay(await memoryStore());
  using ada = connect(relay.url, "notes", { ydoc: scattered(20_000) });
  using bo = connect(relay.url, "notes");
  await until(() => bo.text.length === 20_000, "the document is there");
  const { counters } = relay.relay;
  const { catchUps } = counters;
  using mallory = await RawClient.upgrade(relay.url);
  const asked = 200 * 100;
  // Each time it claims to have something else, so that no answer can be used twice.
  const flood = setInterval(() => {
    for (let count = 0; count < 100; count++) mallory.send(step1(vectorOf(count)));
  }, 1);
  try {
    await until(() => counters.catchUps > catchUps, "it is answered");
    for (let line = 0; line < 20; line++) {
      const { length } = ada.text;
      ada.text.insert(0, "+");
      await until(() => bo.text.length > length, "others go on");
    }
    await until(() => mallory.sent >= asked, "it has asked enough", 60_000);
  } finally {
    clearInterval(flood);
  }
  const answered = counters.catchUps - catchUps;
  console.info(`${mallory.sent} questions, ${answered} answers`);
  expect(answered).toBeLessThan(mallory.sent / 10);
  expect(mallory.isClosed).toBe(false);
});

test("[RLY-13] making answers is charged to the address that asks, on all of its connections", async () => {
  const limits = { limitLoopback: true, catchUpCpuMsPerSecond: 0.01, catchUpCpuMsBurst: 0.01 };
  await using relay = await startRelay(await memoryStore(), { limits, trustProxy: true });
  // With `trustProxy` a client without the header has the address of the proxy itself.
  using ada = connect(relay.url, "notes", { ydoc: scattered(20_000) });
  await until(() => relay.replica.counters.envelopes > 0, "the document is there");
  const { limited } = relay.relay.counters;
  using first = await RawClient.upgrade(relay.url, from("198.51.100.66"));
  first.send(step1(emptyVector));
  await until(() => first.receivedBytes > 20_000, "the first is answered");
  using second = await RawClient.upgrade(relay.url, from("198.51.100.66"));
  second.send(step1(vectorOf(1)));
  await until(() => limited.get("catchUpCpuMsPerSecond") === 1, "the second waits");
  using other = await RawClient.upgrade(relay.url, from("203.0.113.1"));
  other.send(step1(emptyVector));
  await until(() => other.receivedBytes > 20_000, "another address does not");
  expect([second.receivedBytes < 20_000, ada.provider.wsconnected]).toEqual([true, true]);
});

test("[RLY-15] catch-ups that nobody reads give way to those that are read", async () => {
  const limits = { ...small, catchUpBytesInFlightMax: 12 * miB };
  await using relay = await startRelay(await memoryStore(), { limits });
  using ada = connect(relay.url, "notes");
  await synced(ada);
  ada.text.insert(0, "x".repeat(8 * miB));
  await until(() => relay.replica.counters.envelopes > 0, "it is stored");
  using deaf = await RawClient.upgrade(relay.url);
  deaf.stopReading();
  deaf.send(step1(emptyVector));
  await until(() => relay.relay.counters.catchUps === 2, "it is answered");
  // Another question, so that the frame is not shared.
  using bo = connect(relay.url, "notes", { ydoc: withOwnText() });
  await until(() => bo.text.length > 8 * miB, "Bo gets his");
  await until(() => relay.relay.counters.slowConsumersClosed === 1, "the deaf one is given up");
});

test("[RLY-15] who does not read for long is closed", async () => {
  const limits = { ...small, stallMsMax: 1_000 };
  await using relay = await startRelay(await memoryStore(), { limits });
  using ada = connect(relay.url, "notes");
  await synced(ada);
  ada.text.insert(0, "x".repeat(12 * miB));
  await until(() => relay.replica.counters.envelopes > 0, "it is stored");
  using deaf = await RawClient.upgrade(relay.url);
  deaf.stopReading();
  deaf.send(step1(emptyVector));
  await until(() => relay.relay.connectionCount === 1, "the relay lets go");
  expect(relay.relay.counters.slowConsumersClosed).toBe(1);
});

test("[RLY-15] 300 MiB for a client that never reads stay with their sender", async () => {
  const data = await mkdtemp(path.join(tmpdir(), "heddle-deaf-"));
  try {
    await using relay = await RelayProcess.start({ data });
    const url = relay.url.replace("http", "ws");
    using ada = connect(url, "notes");
    using bo = connect(url, "notes");
    await Promise.all([synced(ada), synced(bo)]);
    ada.text.insert(0, "x".repeat(2 * miB));
    await until(() => bo.text.length === 2 * miB, "the document is there");
    // What the same traffic costs without her is what she is measured against.
    const usual = await peakMemory(relay, () => flow(ada, bo, 150 * miB));
    using deaf = await RawClient.upgrade(url);
    deaf.stopReading();
    const withDeaf = await peakMemory(relay, async () => {
      await flow(ada, bo, 150 * miB);
      // And as much again that it asks for and does not read.
      for (let count = 0; count < 75; count++) deaf.send(step1(emptyVector));
      await sleep(500);
    });
    const grownMiB = (withDeaf - usual) / miB;
    console.info(
      `150 MiB shown and 150 MiB asked for, none read: RSS at most ${(withDeaf / miB).toFixed(0)} MiB, ` +
        `${grownMiB.toFixed(1)} MiB more than with nobody deaf`,
    );
    expect(grownMiB).toBeLessThan(64);
    expect(bo.provider.wsconnected).toBe(true);
    ada.text.insert(0, "still here ");
    await until(() => bo.text.toString().startsWith("still here"), "the others go on");
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});

async function peakMemory(relay: RelayProcess, during: () => Promise<unknown>): Promise<number> {
  let peak = relay.memoryBytes;
  const watch = setInterval(() => (peak = Math.max(peak, relay.memoryBytes)), 20);
  try {
    await during();
  } finally {
    clearInterval(watch);
  }
  return peak;
}

/** Presence flows, because content would have to be kept. */
async function flow(
  from: ReturnType<typeof connect>,
  to: ReturnType<typeof connect>,
  bytes: number,
): Promise<void> {
  const seen = (): unknown => to.provider.awareness.getStates().get(from.ydoc.clientID)?.["at"];
  const padding = "x".repeat(7_900);
  let sent = 0;
  for (let round = 0; sent < bytes; round++) {
    from.provider.awareness.setLocalState({ at: round, padding });
    sent += padding.length;
    if (round % 50 === 49) await until(() => seen() === round, "the reader keeps up");
  }
}

/** So many letters, none beside the one that was typed before it: nothing of it can be merged. */
function scattered(letters: number): Y.Doc {
  const ydoc = new Y.Doc();
  ydoc.transact(() => {
    const text = ydoc.getText("text");
    for (let index = 0; index < letters; index++) text.insert(0, "x");
  });
  return ydoc;
}

/** Of somebody who has one letter of a client that nobody else knows. */
function vectorOf(client: number): Uint8Array {
  return Uint8Array.of(1, client & 0x7f, 1);
}

function withOwnText(): Y.Doc {
  const ydoc = new Y.Doc();
  ydoc.getText("text").insert(0, "Bo was here before ");
  return ydoc;
}
