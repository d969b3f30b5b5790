import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";

import { HeddleErrorCode, isHeddleError } from "@heddle/core";
import { openLevelStore, reserveName, type LevelLogStore } from "@heddle/storage-level";
import { collectLog, testDocument, testEnvironment, TestWriter } from "@heddle/testkit";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

import { RelayProcess } from "../processes/relay-process.ts";
import { SmallDisk } from "../processes/small-disk.ts";

// Goal: a disk that runs full costs nothing that was acknowledged, whenever it happens; readers are served
// while there is no room to write, and writing goes on by itself.
// Method: small file systems of their own, filled to the brim by somebody else.

const { storageFull } = HeddleErrorCode;
const mebibyte = 1024 * 1024;
const { isPossible, reason } = SmallDisk;
if (!isPossible) console.warn(`test/faults/store-space.test.ts is skipped${reason}`);

/** Appends that differ in what they write: lanes, documents, large and small envelopes, parking, vectors. */
async function script(store: LevelLogStore, seed: string) {
  const environment = testEnvironment(seed);
  const notes = testDocument(environment, "notes");
  const writer = await TestWriter.open(environment);
  const acknowledged: number[] = [];
  const envelope = (bytes: number) => async () => {
    const sealed = writer.seal(notes.id, environment.random.bytes(bytes));
    await store.append({ envelopes: [sealed] });
    acknowledged.push(sealed.seq);
  };
  const parked = { id: "ab".repeat(16), update: environment.random.bytes(30_000), parkedAtMs: 1 };
  const operations: (() => Promise<unknown>)[] = [
    () => store.append({ lanes: [writer.lane], documents: [notes] }),
    ...[100, 70_000, 10, 200_000, 3_000, 70_000].map(envelope),
    () => store.append({ park: [{ document: notes.id, update: parked }] }),
    () => store.append({ vectors: [{ document: notes.id, vector: writer.vector(notes.id) }] }),
    ...[1, 150_000, 500, 2_000, 90_000].map(envelope),
    () => store.append({ release: [{ document: notes.id, id: parked.id }] }),
    ...[400_000, 10, 10].map(envelope),
  ];
  return { operations, acknowledged, document: notes.id, lane: writer.lane.id };
}
const operationCount = 18;

test.runIf(isPossible)(
  `[STO-4] a disk that is full at operation n loses nothing, for every n of ${operationCount}${reason}`,
  async () => {
    await using disk = await SmallDisk.mount({ mebibytes: 24 });
    let failures = 0;
    for (let n = 0; n < operationCount; n++) {
      const folder = path.join(disk.folder, `at-${n}`);
      const environment = testEnvironment(`full at ${n}`, { timers: "real" });
      const store = await openLevelStore(folder, { environment });
      const { operations, acknowledged, document, lane } = await script(store, `script ${n}`);
      expect(operations).toHaveLength(operationCount);
      let error: unknown;
      for (const [index, operation] of operations.entries()) {
        if (index === n) await disk.fill(0);
        error = await operation().then(
          () => undefined,
          (caught: unknown) => caught,
        );
        if (error) break;
      }
      await disk.free();
      if (error) {
        failures++;
        expect(isHeddleError(error, storageFull), `at ${n}: ${String(error)}`).toBe(true);
      }
      await vi.waitFor(() => expect(store.state.name).toBe("open"), { timeout: 20_000 });
      // A new lane, as after every failure: what became of the last one nobody knows.
      const after = await script(store, `after ${n}`);
      for (const operation of after.operations) await operation();
      await store.close();
      const again = await openLevelStore(folder, { environment: testEnvironment(`again ${n}`) });
      expect(again.opening.rollback).toBeUndefined();
      const log = await collectLog(again, document);
      const held = new Set(log.map((stored) => `${stored.lane} ${stored.seq}`));
      for (const seq of acknowledged) expect(held).toContain(`${lane} ${seq}`);
      for (const seq of after.acknowledged) expect(held).toContain(`${after.lane} ${seq}`);
      await again.close();
      execFileSync("rm", ["-rf", folder]);
    }
    expect(failures).toBeGreaterThan(operationCount / 2);
  },
);

test.runIf(isPossible)(
  `[STO-12] with a reserve a store opens on a full disk, reads, and accepts when there is room${reason}`,
  async () => {
    await using disk = await SmallDisk.mount({ mebibytes: 24 });
    const folder = path.join(disk.folder, "data");
    const space = { lowBytes: 4 * mebibyte, reserveBytes: 2 * mebibyte };
    const early = testEnvironment("a", { timers: "real" });
    const first = await openLevelStore(folder, { environment: early, space });
    const hasReserve = () => existsSync(path.join(folder, reserveName));
    await vi.waitFor(() => expect(hasReserve()).toBe(true), { timeout: 20_000 });
    const { operations, acknowledged, document } = await script(first, "reserve");
    for (const operation of operations) await operation();
    await first.close();
    await disk.fill(0);

    const environment = testEnvironment("b", { timers: "real" });
    const store = await openLevelStore(folder, { environment, space });
    expect(store.state).toMatchObject({ name: "open", readOnly: { code: storageFull } });
    expect(existsSync(path.join(folder, reserveName))).toBe(false);
    expect(await collectLog(store, document)).toHaveLength(acknowledged.length);
    await disk.free();
    await vi.waitFor(() => expect(store.state).toEqual({ name: "open" }), { timeout: 20_000 });
    expect(existsSync(path.join(folder, reserveName))).toBe(true);
    await store.close();
  },
);

test.runIf(isPossible)(
  `[STO-12] a relay on a disk that is nearly full serves readers and turns writers away, until there is room${reason}`,
  async () => {
    await using disk = await SmallDisk.mount({ mebibytes: 32 });
    const flags = ["--disk-low", "8MiB", "--admin-port", "0"];
    await using relay = await RelayProcess.start({ data: path.join(disk.folder, "data"), flags });
    const writer = new Person(relay.url);
    writer.text.insert(0, "before");
    const reader = new Person(relay.url);
    await vi.waitFor(() => expect(reader.text.toString()).toBe("before"), { timeout: 20_000 });

    await disk.fill(4 * mebibyte);
    await vi.waitFor(async () => expect(await relay.ready()).toContain("store-read-only"), {
      timeout: 20_000,
    });
    const closes = writer.closes;
    writer.text.insert(0, "meanwhile ");
    await vi.waitFor(() => expect(writer.closes).toBeGreaterThan(closes), { timeout: 20_000 });
    expect(writer.lastClose).toEqual([1013, storageFull]);
    const newcomer = new Person(relay.url);
    await vi.waitFor(() => expect(newcomer.text.toString()).toBe("before"), { timeout: 20_000 });
    expect(reader.text.toString()).toBe("before");
    expect(reader.closes).toBe(0);

    await disk.free();
    for (const person of [reader, newcomer]) {
      await vi.waitFor(() => expect(person.text.toString()).toBe("meanwhile before"), {
        timeout: 60_000,
      });
    }
    for (const person of [writer, reader, newcomer]) person.leave();
  },
);

/** A stock client. */
class Person {
  readonly #document = new Y.Doc();
  readonly #provider: WebsocketProvider;
  closes = 0;
  lastClose: [code: number, reason: string] | undefined;

  constructor(url: string) {
    const WebSocketPolyfill = WebSocket as unknown as typeof globalThis.WebSocket;
    const options = { disableBc: true, maxBackoffTime: 500, WebSocketPolyfill };
    this.#provider = new WebsocketProvider(
      url.replace("http", "ws"),
      "notes",
      this.#document,
      options,
    );
    this.#provider.on("connection-close", (event) => {
      if (!event) return;
      this.closes++;
      this.lastClose = [event.code, event.reason];
    });
  }

  get text(): Y.Text {
    return this.#document.getText("text");
  }

  leave(): void {
    this.#provider.destroy();
    this.#document.destroy();
  }
}
