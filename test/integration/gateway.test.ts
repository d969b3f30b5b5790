import { MemoryDisk } from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { memoryStore, startRelay } from "./relay-under-test.ts";
import { connect, sleep, synced, until } from "./stock-client.ts";

test("[RLY-4] two stock clients write at the same time and end equal", async () => {
  await using relay = await startRelay(await memoryStore());
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  for (let index = 0; index < 50; index++) {
    ada.text.insert(ada.text.length, `a${index} `);
    bo.text.insert(0, `b${index} `);
    if (index % 10 === 0) await sleep(1);
  }
  ada.text.delete(3, 40);
  await until(
    () => ada.text.toString() === bo.text.toString() && ada.text.length > 300,
    "both show the same text",
  );
});

test("[RLY-2] a late client is synced with the whole content, also after a restart", async () => {
  const disk = new MemoryDisk();
  const written = "the first thread, ".repeat(2_000);
  {
    await using relay = await startRelay(await memoryStore(disk));
    using ada = connect(relay.url, "notes");
    await synced(ada);
    ada.text.insert(0, written);
    ada.text.delete(0, 4);
    using bo = connect(relay.url, "notes");
    await until(() => bo.text.length === written.length - 4, "the text arrives");
  }
  await using relay = await startRelay(await memoryStore(disk));
  using late = connect(relay.url, "notes");
  let atSync: string | undefined;
  late.provider.once("sync", () => {
    atSync = late.text.toString();
  });
  await synced(late);
  expect(atSync).toBe(written.slice(4));
});

test("[RLY-4] what was written offline arrives after the reconnect", async () => {
  await using relay = await startRelay(await memoryStore());
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  ada.provider.disconnect();
  ada.text.insert(0, "offline ");
  bo.text.insert(0, "online ");
  ada.provider.connect();
  await until(() => ada.text.length === 15 && bo.text.length === 15, "both have both");
  expect(ada.text.toString()).toBe(bo.text.toString());
});

test("[RLY-4] presence is shown, renewed, and gone when its client leaves", async () => {
  await using relay = await startRelay(await memoryStore());
  using ada = connect(relay.url, "notes");
  const bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  ada.provider.awareness.setLocalStateField("user", { name: "Ada" });
  bo.provider.awareness.setLocalStateField("user", { name: "Bo" });
  const nameAt = (id: number): unknown =>
    ada.provider.awareness.getStates().get(id)?.["user"]?.name;
  await until(() => nameAt(bo.ydoc.clientID) === "Bo", "Ada sees Bo");
  using late = connect(relay.url, "notes");
  await until(() => late.provider.awareness.getStates().size === 3, "a late client sees both");
  const boId = bo.ydoc.clientID;
  bo.provider.ws?.close();
  bo.provider.shouldConnect = false;
  await until(() => nameAt(boId) === undefined, "Bo is gone");
  bo[Symbol.dispose]();
});

test("[RLY-5] a lone client hears its own presence, so that it stays connected", async () => {
  await using relay = await startRelay(await memoryStore());
  using ada = connect(relay.url, "notes");
  await synced(ada);
  const before = ada.provider.wsLastMessageReceived;
  await sleep(20);
  ada.provider.awareness.setLocalStateField("user", { name: "Ada" });
  await until(() => ada.provider.wsLastMessageReceived > before, "the echo arrives");
});

test("[DOC-2] a resync adds nothing to the log", async () => {
  await using relay = await startRelay(await memoryStore());
  using ada = connect(relay.url, "notes");
  await synced(ada);
  ada.text.insert(0, "hello");
  ada.text.delete(1, 2);
  using bo = connect(relay.url, "notes");
  await until(() => bo.text.toString() === "hlo", "it is logged, or nobody would be shown it");
  const { envelopes } = relay.replica.counters;
  for (let round = 0; round < 5; round++) {
    ada.provider.disconnect();
    ada.provider.connect();
    await until(() => ada.provider.synced, "synced again");
  }
  await until(() => relay.replica.counters.duplicate >= 5, "the relay has read it five times");
  expect(relay.replica.counters.envelopes).toBe(envelopes);
});

test("[RLY-9] a message that is no update is refused, and nobody else notices", async () => {
  await using relay = await startRelay(await memoryStore(), { limits: { refusalDelayMs: 10 } });
  using ada = connect(relay.url, "notes");
  using mallory = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(mallory)]);
  const closed = new Promise<number>((resolve) => {
    mallory.provider.once("closed", ({ code }: { code: number }) => resolve(code));
  });
  mallory.provider.ws?.send(Uint8Array.of(0, 2, 3, 255, 255, 255));
  expect(await closed).toBe(4400);
  using bo = connect(relay.url, "notes");
  ada.text.insert(0, "still here");
  await until(() => bo.text.toString() === "still here", "the others go on");
});

test("[DOC-6] an update that comes too early is parked and shown once it fits", async () => {
  const disk = new MemoryDisk();
  const author = new Y.Doc();
  const updates: Uint8Array[] = [];
  author.on("update", (update: Uint8Array) => updates.push(update));
  author.getText("text").insert(0, "one ");
  author.getText("text").insert(4, "two");
  {
    await using relay = await startRelay(await memoryStore(disk));
    const document = await relay.replica.acquire("notes" as never);
    expect(document.submit(updates[1]!, {})).toBe("parked");
    relay.replica.release(document);
  }
  await using relay = await startRelay(await memoryStore(disk));
  using reader = connect(relay.url, "notes");
  await synced(reader);
  expect(reader.text.toString()).toBe("");
  const document = await relay.replica.acquire("notes" as never);
  document.submit(updates[0]!, {});
  await until(() => reader.text.toString() === "one two", "both arrive");
});
