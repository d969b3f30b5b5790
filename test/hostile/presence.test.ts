import { expect, test } from "vitest";

import { memoryStore, startRelay } from "../integration/relay-under-test.ts";
import { connect, sleep, synced, until, type StockClient } from "../integration/stock-client.ts";
import { awareness, queryAwareness } from "./client-messages.ts";
import { RawClient } from "./raw-client.ts";

const quick = { refusalDelayMs: 10 };

function sees(observer: StockClient, client: number): unknown {
  return observer.provider.awareness.getStates().get(client)?.["name"];
}

test("[RLY-12] nobody ends or changes somebody else's presence", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: quick });
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  ada.provider.awareness.setLocalStateField("name", "Ada");
  await until(() => sees(bo, ada.ydoc.clientID) === "Ada", "Bo sees Ada");
  using mallory = await RawClient.upgrade(relay.url);
  const client = ada.ydoc.clientID;
  mallory.send(awareness([{ client, clock: Number.MAX_SAFE_INTEGER, state: null }]));
  mallory.send(awareness([{ client, clock: 1_000, state: { name: "Mallory" } }]));
  mallory.send(awareness([{ client, clock: 1_001, state: null }]));
  await until(() => relay.relay.counters.awarenessIgnored >= 3, "they are counted");
  await sleep(4_500); // Longer than a claim takes to be decided.
  expect(sees(bo, client)).toBe("Ada");
  expect(mallory.isClosed).toBe(false);
  ada.provider.awareness.setLocalStateField("name", "Ada again");
  await until(() => sees(bo, client) === "Ada again", "what she says later is heard");
});

test("[RLY-12] who comes back while the old socket hangs half-open is believed soon", async () => {
  const limits = { ...quick, awarenessTakeoverMs: 500 };
  await using relay = await startRelay(await memoryStore(), { limits });
  using bo = connect(relay.url, "notes");
  await synced(bo);
  using old = await RawClient.upgrade(relay.url);
  old.send(awareness([{ client: 77, clock: 1, state: { name: "from the train" } }]));
  await until(() => sees(bo, 77) === "from the train", "Bo sees her");
  // The train enters a tunnel: nothing is said, nothing answers.
  using back = await RawClient.upgrade(relay.url);
  back.send(awareness([{ client: 77, clock: 2, state: { name: "from home" } }]));
  await until(() => sees(bo, 77) === "from home", "she has her name back", 20_000);
  expect(relay.relay.counters.awarenessTakeovers).toBe(1);
  old.socket.destroy();
  await sleep(100);
  expect(sees(bo, 77)).toBe("from home");
});

test("[RLY-12] a state over the limit is not shown, and its sender hears that somebody is there", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: quick });
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  ada.provider.awareness.setLocalStateField("name", "Ada");
  await until(() => sees(bo, ada.ydoc.clientID) === "Ada", "Bo sees Ada");
  const before = ada.provider.wsLastMessageReceived;
  await sleep(20);
  ada.provider.awareness.setLocalStateField("picture", "x".repeat(20_000));
  // Silence would make a lone client think that its connection is dead.
  await until(() => ada.provider.wsLastMessageReceived > before, "Ada hears something");
  expect(bo.provider.awareness.getStates().get(ada.ydoc.clientID)?.["picture"]).toBeUndefined();
  expect(sees(bo, ada.ydoc.clientID)).toBe("Ada");
});

test("[RLY-12] 100,000 invented clients are not shown, not kept, and not punished", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: quick });
  using ada = connect(relay.url, "notes");
  await synced(ada);
  using mallory = await RawClient.upgrade(relay.url);
  const invented = Array.from({ length: 100_000 }, (_, n) => ({ client: n, clock: 1, state: {} }));
  mallory.send(awareness(invented));
  await until(() => relay.relay.counters.awarenessIgnored > 99_000, "they are counted");
  await sleep(50);
  expect(mallory.isClosed).toBe(false);
  expect(ada.provider.awareness.getStates().size).toBeLessThanOrEqual(9);
});

test("[RLY-12] a byte that asks for everybody is answered as often as its sender reads", async () => {
  await using relay = await startRelay(await memoryStore());
  const crowd = [];
  for (let count = 0; count < 20; count++) {
    const client = await RawClient.upgrade(relay.url);
    const state = { name: "x".repeat(8_000) };
    client.send(awareness([{ client: count, clock: 1, state }]));
    crowd.push(client);
  }
  using mallory = await RawClient.upgrade(relay.url);
  mallory.stopReading();
  const before = relay.relay.counters.bytesSent;
  for (let count = 0; count < 1_000; count++) mallory.send(queryAwareness);
  await sleep(300);
  // Asked for: 160 MiB. Sent: a buffer full, on the machine's side and on ours.
  expect(relay.relay.counters.bytesSent - before).toBeLessThan(20 * 1024 * 1024);
  for (const client of crowd) client.socket.destroy();
});
