import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  HeddleProvider,
  openReplica,
  type HeddleProviderOptions,
  type Outbox,
  type Saved,
} from "@heddle/client";
import { HeddleError } from "@heddle/core";
import { levelStore } from "@heddle/storage-level";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import * as Y from "yjs";

import { RelayProcess } from "../processes/relay-process.ts";

// Goal: what uses y-websocket's provider can use ours, and is told the truth by it.
// Method: providers in this process, each with a store of its own, and a relay in a process of its own.

const wait = { timeout: 30_000 };
const textOf = ({ doc }: HeddleProvider): string => doc.getText("text").toJSON();

describe("HeddleProvider and a relay", () => {
  let folder: string;
  let relay: RelayProcess;
  const providers: HeddleProvider[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "heddle-provider-"));
    relay = await RelayProcess.start({ data: join(folder, "relay") });
  });
  afterEach(async () => {
    await Promise.all(providers.splice(0).map((provider) => provider.whenDestroyed()));
    await relay[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  function open(room: string, options: HeddleProviderOptions = {}): HeddleProvider {
    const url = relay.url.replace("http", "ws");
    const made = new HeddleProvider(url, room, new Y.Doc(), {
      WebSocketPolyfill: WebSocket,
      ...options,
    });
    providers.push(made);
    return made;
  }

  test("[CLT-1] two who write at once see the same, and each other; each remote edit has its provider as origin", async () => {
    const [ada, bo] = [open("paper", { store: levelStore(join(folder, "ada")) }), open("paper")];
    const origins: unknown[] = [];
    bo.doc.on("update", (_update: Uint8Array, origin: unknown) => origins.push(origin));
    ada.awareness.setLocalStateField("user", { name: "Ada" });
    ada.doc.getText("text").insert(0, "warp");
    await vi.waitFor(() => expect(textOf(bo)).toBe("warp"), wait);
    expect(new Set(origins)).toEqual(new Set([bo]));
    const undo = new Y.UndoManager(bo.doc.getText("text"));
    bo.doc.getText("text").insert(4, " and weft");
    await vi.waitFor(() => expect(textOf(ada)).toBe("warp and weft"), wait);
    undo.undo();
    await vi.waitFor(() => expect(textOf(ada)).toBe("warp"), wait);
    const names = () => [...bo.awareness.getStates().values()].map((state) => state["user"]?.name);
    await vi.waitFor(() => expect(names()).toContain("Ada"), wait);
    expect([ada.synced, ada.wsconnected, bo.synced]).toEqual([true, true, true]);
  });

  test("[CLT-1] an impossible name is refused at once, and holds no store", async () => {
    const store = levelStore(join(folder, "ada"));
    expect(() => open("\0", { store })).toThrow(HeddleError);
    await using replica = await openReplica({ store });
    expect(replica.replica.openDocuments).toBe(0);
  });

  test("[CLT-2] the outbox goes from nothing to something and back, through a relay that is killed", async () => {
    const store = levelStore(join(folder, "ada"));
    const ada = open("paper", { store });
    const status: string[] = [];
    const saved: Saved[] = [];
    const outbox: Outbox[] = [];
    ada.on("status", (event) => status.push(event.status));
    ada.on("saved", (now) => saved.push(now));
    ada.on("outbox", (now) => outbox.push(now));
    await vi.waitFor(() => expect(ada.synced).toBe(true), wait);
    expect(ada.outbox.pending).toBe(0);
    const { port } = relay;
    await relay.kill();
    await vi.waitFor(() => expect(ada.wsconnected).toBe(false), wait);
    ada.doc.getText("text").insert(0, "offline");
    await ada.whenSaved();
    await vi.waitFor(() => expect(ada.saved).toBe("strict"), wait);
    expect(ada.outbox.pending).toBeGreaterThan(0);
    expect(ada.outbox.bytes).toBeGreaterThan(0);
    expect(ada.syncStatus).toMatchObject({ connected: false, localUpdatesSynced: false });
    relay = await RelayProcess.start({ data: join(folder, "relay"), port });
    await ada.whenRelayed();
    await vi.waitFor(() => expect(ada.outbox.pending).toBe(0), wait);
    await vi.waitFor(() => expect(ada.syncStatus.status).toBe("green"), wait);
    expect(status).toEqual(expect.arrayContaining(["connecting", "connected", "disconnected"]));
    expect(saved).toContain(false);
    expect(outbox.at(-1)).toEqual({ pending: 0, bytes: 0, oldestMs: undefined });
  });

  test("[CLT-2] what was typed and saved offline is still to be sent after a restart", async () => {
    const store = levelStore(join(folder, "ada"));
    {
      await using replica = await openReplica({ store, peers: [] });
      const paper = await replica.open("paper");
      paper.ydoc.getText("text").insert(0, "kept");
      await paper.whenSaved();
    }
    const other = open("another", { store, connect: false });
    const told: Outbox[] = [];
    other.on("device-outbox", (outbox) => told.push(outbox));
    await vi.waitFor(() => expect(told.at(-1)?.pending).toBeGreaterThan(0), wait);
    expect(other.outboxOf("paper").pending).toBe(other.deviceOutbox.pending);
    expect([other.outbox.pending, other.outboxOf("nothing").pending]).toEqual([0, 0]);
    const before = other.deviceOutbox.pending;
    const again = open("paper", { store, connect: false });
    again.doc.getText("text").insert(0, "well ");
    await again.whenLoaded();
    expect(textOf(again)).toContain("kept");
    expect(textOf(again)).toContain("well ");
    await vi.waitFor(() => expect(again.outbox.pending).toBeGreaterThan(0), wait);
    await vi.waitFor(() => expect(told.at(-1)?.pending).toBeGreaterThan(before), wait);
    again.connect();
    await vi.waitFor(() => expect(again.outbox.pending).toBe(0), wait);
    await vi.waitFor(() => expect(told.at(-1)?.pending).toBe(0), wait);
  });

  test("[CLT-2] what was typed in a document that nobody opens again is sent all the same", async () => {
    const store = levelStore(join(folder, "ada"));
    {
      await using replica = await openReplica({ store, peers: [] });
      const letter = await replica.open("letter");
      letter.ydoc.getText("text").insert(0, "dear Bo");
      await letter.whenSaved();
    }
    open("another", { store });
    const bo = open("letter");
    await vi.waitFor(() => expect(textOf(bo)).toBe("dear Bo"), wait);
  });

  test("[CLT-15] a relay that is away is asked as often as the application wants", async () => {
    await relay.kill();
    const ada = open("paper", { maxBackoffTime: 100 });
    let failures = 0;
    ada.on("connection-error", () => failures++);
    // Without the wish there would be a breaker after the eighth, for half a minute at least.
    await vi.waitFor(() => expect(failures).toBeGreaterThan(12), wait);
  });

  test("[CLT-3] a document whose provider is destroyed is not exchanged any more once a relay has all of it", async () => {
    const store = levelStore(join(folder, "ada"));
    const [list, paper] = [open("list", { store }), open("paper", { store })];
    await vi.waitFor(() => expect([list.synced, paper.synced]).toEqual([true, true]), wait);
    paper.doc.getText("text").insert(0, "last words");
    await paper.whenDestroyed();
    const [other, marks] = [open("paper"), open("list")];
    await vi.waitFor(() => expect(textOf(other)).toBe("last words"), wait);
    const heard: Buffer[] = [];
    (list.ws as WebSocket).on("message", (data: ArrayBuffer) => heard.push(Buffer.from(data)));
    let round = 0;
    const isHeard = async (): Promise<boolean> => {
      const word = `word-${++round}-`;
      other.doc.getText("text").insert(0, word);
      await other.whenRelayed();
      // What the relay has to say comes in order: behind this nothing of that word is left.
      marks.doc.getText("text").insert(0, `${round};`);
      await vi.waitFor(() => expect(textOf(list)).toContain(`${round};`), wait);
      return heard.some((message) => message.includes(word));
    };
    await expect.poll(isHeard, { ...wait, interval: 200 }).toBe(false);
  });

  test("[CLT-3] providers of one store share a connection; one that is disconnected takes no part", async () => {
    const store = levelStore(join(folder, "ada"));
    const [paper, list] = [open("paper", { store }), open("list", { store })];
    const other = open("paper");
    await vi.waitFor(() => expect([paper.synced, list.synced]).toEqual([true, true]), wait);
    const status: string[] = [];
    paper.on("status", (event) => status.push(event.status));
    paper.disconnect();
    expect([paper.wsconnected, paper.synced, status]).toEqual([false, false, ["disconnected"]]);
    other.doc.getText("text").insert(0, "unseen");
    await other.whenRelayed();
    list.doc.getText("text").insert(0, "listed");
    await list.whenRelayed();
    expect(textOf(paper)).toBe("");
    paper.connect();
    await vi.waitFor(() => expect(textOf(paper)).toBe("unseen"), wait);
  });
});
