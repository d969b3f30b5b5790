import { webSocketTransport } from "@heddle/client";
import { MemoryDisk } from "@heddle/core";
import type { LiveReplica } from "@heddle/replica";
import { ephemeralDeviceKey, openReplica } from "@heddle/replica/node";
import { expect, test } from "vitest";
import { WebSocket } from "ws";

import { PeeredRelay } from "./peered-relay.ts";
import { memoryStore } from "./relay-under-test.ts";
import { connect, synced, until } from "./stock-client.ts";

// Goal: what an application embeds speaks with relays by itself, and tells the truth about who has what.

/** One device: its key, and its disk in each test. */
const signer = ephemeralDeviceKey();

/** A replica as an application opens it; the store is handed in, so that its disk outlives it. */
class App implements AsyncDisposable {
  readonly replica: LiveReplica;
  readonly #close: () => Promise<void>;

  private constructor(replica: LiveReplica, close: () => Promise<void>) {
    this.replica = replica;
    this.#close = close;
  }

  static async open(disk: MemoryDisk, ...urls: readonly string[]): Promise<App> {
    const store = await memoryStore(disk);
    const peers = urls.map((url) => {
      return { name: url, transport: webSocketTransport({ url, WebSocket }) };
    });
    const replica = await openReplica({ store, peers, signer });
    return new App(replica, async () => {
      await replica.close();
      await store.close();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

function namesOf(states: ReadonlyMap<number, Record<string, unknown>>): unknown[] {
  return [...states.values()].map((state) => state["name"]);
}

test("[WIR-15][WIR-18] a live document and a stock client edit together through a relay, and the outbox empties", async () => {
  await using relay = await PeeredRelay.start();
  await using app = await App.open(new MemoryDisk(), relay.url);
  using stock = connect(relay.url, "notes");
  await synced(stock);
  const notes = await app.replica.open("notes");
  const text = notes.ydoc.getText("text");
  text.insert(0, "from the app");
  await notes.whenRelayed();
  expect(app.replica.peers!.outbox).toMatchObject({ envelopes: 0, bytes: 0, oldestMs: undefined });
  await until(() => stock.text.toString() === "from the app", "the client shows it");
  stock.text.insert(0, "from the client, ");
  await until(() => text.toString() === "from the client, from the app", "the app shows it");
});

test("[WIR-18] what was written offline is counted after a restart, with nothing open, and goes out then", async () => {
  const disk = new MemoryDisk();
  {
    await using app = await App.open(disk, "ws://127.0.0.1:1");
    for (const name of ["first", "second"]) {
      const live = await app.replica.open(name);
      live.ydoc.getText("text").insert(0, `written in ${name}`);
      await live.whenSaved();
    }
    expect(app.replica.peers!.outbox.envelopes).toBe(2);
  }
  await using relay = await PeeredRelay.start();
  await using app = await App.open(disk, relay.url);
  const { peers } = app.replica;
  expect(peers!.outbox.envelopes).toBe(2);
  expect(peers!.outbox.bytes).toBeGreaterThan(100);
  expect(peers!.outbox.oldestMs).toBeLessThanOrEqual(Date.now());
  await until(() => peers!.outbox.envelopes === 0, "the relay has it all");
  using reader = connect(relay.url, "second");
  await until(() => reader.text.toString() === "written in second", "others can read it");
});

test("[WIR-18] an acknowledged envelope stays acknowledged over a restart without the relay", async () => {
  const disk = new MemoryDisk();
  {
    await using relay = await PeeredRelay.start();
    await using app = await App.open(disk, relay.url);
    const notes = await app.replica.open("notes");
    notes.ydoc.getText("text").insert(0, "relayed");
    await notes.whenRelayed();
  }
  await using app = await App.open(disk, "ws://127.0.0.1:1");
  expect(app.replica.peers!.outbox.envelopes).toBe(0);
  const notes = await app.replica.open("notes");
  notes.ydoc.getText("text").insert(0, "not ");
  await notes.whenSaved();
  expect(app.replica.peers!.outbox.envelopes).toBe(1);
  expect([...app.replica.peers!.states.values()][0]!.name).not.toBe("live");
});

test("[WIR-18] two relays hold what two copies were asked for", async () => {
  await using first = await PeeredRelay.start();
  await using second = await PeeredRelay.start();
  await using app = await App.open(new MemoryDisk(), first.url, second.url);
  const notes = await app.replica.open("notes");
  notes.ydoc.getText("text").insert(0, "twice");
  await notes.whenReplicated(2);
  for (const { replica } of [first, second]) {
    const document = await replica.acquire(notes.name);
    expect(document.isStored).toBe(true);
    replica.release(document);
  }
});

test("[RLY-18] a live document and a stock client of a relay see each other, from when it is opened to when it closes", async () => {
  await using relay = await PeeredRelay.start();
  await using app = await App.open(new MemoryDisk(), relay.url);
  using stock = connect(relay.url, "notes");
  await synced(stock);
  stock.text.insert(0, "a document");
  const { awareness } = stock.provider;
  awareness.setLocalState({ name: "stock" });
  const notes = await app.replica.open("notes");
  await until(() => namesOf(notes.awareness.getStates()).includes("stock"), "the app sees it");
  notes.awareness.setLocalState({ name: "app" });
  await until(() => namesOf(awareness.getStates()).includes("app"), "the client sees the app");
  await notes.close();
  await until(() => !namesOf(awareness.getStates()).includes("app"), "the app is gone");
});
