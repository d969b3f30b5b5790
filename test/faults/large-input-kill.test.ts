import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect, test } from "vitest";
import * as Y from "yjs";

import { sleep, until } from "../integration/stock-client.ts";
import { connectStock, type StockClient } from "../interop/stock-providers.ts";
import { RelayProcess } from "../processes/relay-process.ts";

// Goal: large honest input is stored whole or not at all, whenever the relay is killed.
// Method: find out how long it takes, kill the relay at moments spread over that time, and read what
// the folder holds with a client that never saw anything.

const miB = 1024 * 1024;
const rounds = 6;
const latestKillMs = 30_000;

interface LargeInput {
  readonly what: string;
  readonly length: number;
  /** Sends it, from a client of its own. */
  readonly send: (url: string, name: string) => Promise<StockClient>;
}

const inputs: readonly LargeInput[] = [
  {
    what: "a paste of 10 MiB",
    length: 10 * miB,
    async send(url, name) {
      const client = connectStock({ url, name, version: "3.1.0" });
      await until(() => client.provider.synced, "the writer is synced");
      client.ydoc.getText("text").insert(0, "paste me ".repeat(2 * miB).slice(0, 10 * miB));
      return client;
    },
  },
  {
    what: "a first sync of 12 MiB",
    length: 12 * miB,
    async send(url, name) {
      return connectStock({ url, name, version: "3.1.0", ydoc: offlineWork() });
    },
  },
];

/** What several people have written while there was no relay. */
function offlineWork(): Y.Doc {
  const ydoc = new Y.Doc();
  for (let person = 0; person < 12; person++) {
    const own = Object.assign(new Y.Doc(), { clientID: 10 + person });
    Y.applyUpdate(own, Y.encodeStateAsUpdate(ydoc));
    for (let part = 0; part < 64; part++) own.getText("text").insert(0, "x".repeat(16 * 1024));
    Y.applyUpdate(ydoc, Y.encodeStateAsUpdate(own));
  }
  return ydoc;
}

async function lengthIn(data: string, name: string): Promise<number> {
  await using relay = await RelayProcess.start({ data });
  using fresh = connectStock({ url: relay.url.replace("http", "ws"), name, version: "3.1.0" });
  await until(() => fresh.provider.synced, "a fresh client is synced");
  return fresh.ydoc.getText("text").length;
}

/** How long after sending a reader has it all. */
async function timeToShow({ length, send }: LargeInput, data: string): Promise<number> {
  await using relay = await RelayProcess.start({ data });
  const url = relay.url.replace("http", "ws");
  using reader = connectStock({ url, name: "calm", version: "3.1.0" });
  await until(() => reader.provider.synced, "the reader is synced");
  const startedMs = performance.now();
  using writer = await send(url, "calm");
  expect(writer.ydoc.getText("text").length).toBe(length);
  await until(() => reader.ydoc.getText("text").length === length, "it is shown");
  return performance.now() - startedMs;
}

async function killDuring(input: LargeInput, data: string, afterMs: number): Promise<number> {
  const name = `round-${afterMs}`;
  const relay = await RelayProcess.start({ data });
  const sending = input.send(relay.url.replace("http", "ws"), name);
  // The client shares its thread with this timer, so what is meant is a moment, not a number.
  await Promise.all([sending, sleep(afterMs)]);
  await relay.kill();
  (await sending)[Symbol.dispose]();
  return lengthIn(data, name);
}

test.each(inputs)(
  "[RLY-3, STO-2] $what is there whole or not at all after kill -9",
  async (input) => {
    const data = await mkdtemp(path.join(tmpdir(), "heddle-large-"));
    try {
      const usualMs = await timeToShow(input, data);
      expect(await lengthIn(data, "calm")).toBe(input.length);
      const lengths: number[] = [];
      const countOf = (length: number) => lengths.filter((each) => each === length).length;
      let afterMs = 0;
      for (let round = 0; round < rounds; round++) {
        afterMs = Math.round((usualMs * 1.5 * round) / rounds);
        lengths.push(await killDuring(input, data, afterMs));
      }
      // On a machine that became slower meanwhile all of them may have come too early.
      while (countOf(input.length) === 0 && afterMs < latestKillMs) {
        afterMs *= 2;
        lengths.push(await killDuring(input, data, afterMs));
      }
      const [whole, nothing] = [countOf(input.length), countOf(0)];
      console.info(
        `${input.what}: shown after ${usualMs.toFixed(0)} ms; ${lengths.length} kills: ${whole} times whole, ` +
          `${nothing} times nothing`,
      );
      expect(whole + nothing).toBe(lengths.length);
      // Otherwise the kills all came too early or too late, and this test has shown nothing.
      expect(nothing).toBeGreaterThan(0);
      expect(whole).toBeGreaterThan(0);
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  },
);
