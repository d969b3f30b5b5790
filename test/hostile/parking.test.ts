import { monitorEventLoopDelay } from "node:perf_hooks";

import { behindLetters, letters } from "@heddle/testkit";
import * as encoding from "lib0/encoding";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { memoryStore, startRelay } from "../integration/relay-under-test.ts";
import { connect, synced, until } from "../integration/stock-client.ts";
import { step2, update } from "./client-messages.ts";
import { RawClient } from "./raw-client.ts";

const quick = { refusalDelayMs: 10 };

/** Eight bytes that delete what nobody has written yet; no two of them touch. */
function futureDelete(index: number): Uint8Array {
  return encoding.encode((encoder) => {
    for (const value of [0, 1, 77, 1, 10 + 2 * index, 1]) encoding.writeVarUint(encoder, value);
  });
}

/** A gap: its first letter is missing. */
function gapOf(clientID: number): Uint8Array {
  const doc = Object.assign(new Y.Doc(), { clientID });
  doc.getText("text").insert(0, "x");
  const before = Y.encodeStateVector(doc);
  doc.getText("text").insert(1, "y");
  return Y.encodeStateAsUpdate(doc, before);
}

const addresses = (address: string) => ({ headers: { "X-Forwarded-For": address } });

test("[DOC-6][RLY-13] a parked update that frees one struct per letter holds nobody up", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: quick });
  using elsewhere = connect(relay.url, "plans");
  using bo = connect(relay.url, "plans");
  using mallory = await RawClient.upgrade(relay.url);
  await Promise.all([synced(elsewhere), synced(bo)]);
  mallory.send(step2(behindLetters(600_000)));
  await until(() => relay.replica.counters.parked === 1, "it is parked");
  const typed = letters(1_500);
  mallory.send(update(typed[0]!));
  await until(() => relay.replica.counters.released > 0, "the first is released");
  using lag = monitorLag();
  const startMs = performance.now();
  for (const letter of typed.slice(1)) mallory.send(update(letter));
  elsewhere.text.insert(0, "others go on");
  await until(() => bo.text.toString() === "others go on", "others go on");
  await until(() => relay.replica.counters.released >= typed.length, "all are released", 60_000);
  const tookMs = performance.now() - startMs;
  console.info(
    `1,499 letters: ${tookMs.toFixed(0)} ms, loop at most ${lag.maxMs.toFixed(0)} ms late`,
  );
  // Looking at the whole rest each time took a tenth of a second a letter.
  expect(tookMs).toBeLessThan(30_000);
});

test("[DOC-6] thousands of future deletes of one stranger take a few places, and honest gaps find one", async () => {
  const limits = { ...quick, limitLoopback: true };
  await using relay = await startRelay(await memoryStore(), { limits, trustProxy: true });
  using mallory = await RawClient.upgrade(relay.url, addresses("203.0.113.9"));
  for (let index = 0; index < 4_000; index++) mallory.send(update(futureDelete(index)));
  await until(() => relay.replica.counters.parked === 4_000, "all are parked");
  expect(relay.replica.parking.count).toBeLessThan(20);
  expect(mallory.isClosed).toBe(false);
  using ada = await RawClient.upgrade(relay.url, addresses("198.51.100.7"));
  ada.send(step2(gapOf(5)));
  await until(() => relay.replica.counters.parked === 4_001, "the honest gap is parked");
  expect(relay.replica.counters).toMatchObject({ parkingRefused: 0, parkingEvicted: 0 });
});

test("[DOC-6] a stranger who fills a document's parking makes room for others, and is told", async () => {
  const limits = { ...quick, limitLoopback: true };
  const replica = { parking: { updatesMax: 50 } };
  await using relay = await startRelay(await memoryStore(), { limits, replica, trustProxy: true });
  using mallory = await RawClient.upgrade(relay.url, addresses("203.0.113.9"));
  for (let client = 100; client < 150; client++) mallory.send(step2(gapOf(client)));
  await until(() => relay.replica.parking.count === 50, "it is full");
  using ada = await RawClient.upgrade(relay.url, addresses("198.51.100.7"));
  ada.send(step2(gapOf(5)));
  expect(await mallory.closeCode()).toBe(1013);
  expect(ada.isClosed).toBe(false);
  expect(relay.replica.counters).toMatchObject({ parkingRefused: 0, parkingEvicted: 1 });
  expect(relay.replica.parking.count).toBe(50);
});

test("[DOC-6] on this machine addresses are one, and a full parking refuses; what fits is shown all the same", async () => {
  const replica = { parking: { updatesMax: 1 } };
  await using relay = await startRelay(await memoryStore(), { limits: quick, replica });
  using reader = connect(relay.url, "notes");
  await synced(reader);
  using mallory = await RawClient.upgrade(relay.url);
  mallory.send(step2(gapOf(100)));
  await until(() => relay.replica.counters.parked === 1, "it is full");
  const own = Object.assign(new Y.Doc(), { clientID: 6 });
  own.getText("text").insert(0, "fits");
  using ada = await RawClient.upgrade(relay.url);
  ada.send(step2(Y.mergeUpdates([Y.encodeStateAsUpdate(own), gapOf(5)])));
  expect(await ada.closeCode()).toBe(1013);
  await until(() => reader.text.toString() === "fits", "what fits is shown");
  expect(relay.replica.counters).toMatchObject({ parkingRefused: 1, parkingEvicted: 0 });
});

function monitorLag(): Disposable & { readonly maxMs: number } {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  return {
    get maxMs() {
      return delay.max / 1e6;
    },
    [Symbol.dispose]: () => void delay.disable(),
  };
}
