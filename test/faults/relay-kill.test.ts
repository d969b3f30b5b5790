import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect, test } from "vitest";
import type * as Y from "yjs";

import { connectStock, type StockClient } from "../interop/stock-providers.ts";
import { sleep, until } from "../integration/stock-client.ts";
import { RelayProcess } from "../processes/relay-process.ts";

const rounds = 20;
const inFlight = 64;

interface Round {
  readonly seen: number;
  readonly missing: readonly string[];
  readonly writtenNotSeen: number;
}

/**
 * Goal: what anybody saw is still there after kill -9.
 * Method: a writer keeps 64 updates in flight, a reader notes what it has seen, the relay is killed at
 * a random moment after the first, both clients are gone before it comes back, and a client that never saw anything
 * reads what the folder holds.
 */
async function killRound(data: string, round: number): Promise<Round> {
  const relay = await RelayProcess.start({ data });
  const name = `round-${round}`;
  const url = relay.url.replace("http", "ws");
  const writer = connectStock({ url, name, version: "3.1.0" });
  const reader = connectStock({ url, name, version: "3.1.0" });
  await until(() => writer.provider.synced && reader.provider.synced, "both are synced");
  const written: string[] = [];
  const dead = new AbortController();
  const killed = until(() => listOf(reader).length > 0, "the reader sees something")
    .then(() => sleep(Math.random() * 400))
    .finally(() => relay.kill())
    .finally(() => dead.abort());
  while (!dead.signal.aborted) {
    const seen = listOf(reader).length;
    while (written.length < seen + inFlight) written.push(write(writer, written.length));
    await new Promise(setImmediate);
  }
  await killed;
  const seen = listOf(reader);
  // Nobody may come back and heal the relay from memory.
  writer[Symbol.dispose]();
  reader[Symbol.dispose]();
  const held = new Set(await readFresh(data, name));
  return {
    seen: seen.length,
    missing: seen.filter((item) => !held.has(item)),
    writtenNotSeen: written.length - seen.length,
  };
}

function write({ ydoc }: StockClient, index: number): string {
  const item = `update ${index}`;
  ydoc.getArray<string>("list").push([item]);
  return item;
}

function listOf({ ydoc }: { readonly ydoc: Y.Doc }): string[] {
  return ydoc.getArray<string>("list").toArray();
}

async function readFresh(data: string, name: string): Promise<string[]> {
  await using relay = await RelayProcess.start({ data });
  using fresh = connectStock({ url: relay.url.replace("http", "ws"), name, version: "3.1.0" });
  await until(() => fresh.provider.synced, "a fresh client is synced");
  return listOf(fresh);
}

test(`[RLY-3] ${inFlight} updates in flight, kill -9, ${rounds} rounds: nothing seen is missing`, async () => {
  const data = await mkdtemp(path.join(tmpdir(), "heddle-kill-"));
  try {
    let seen = 0;
    let cutOff = 0;
    for (let round = 0; round < rounds; round++) {
      const result = await killRound(data, round);
      expect(result.missing, `round ${round}`).toEqual([]);
      seen += result.seen;
      cutOff += result.writtenNotSeen > 0 ? 1 : 0;
    }
    console.info(`${rounds} kills: ${seen} updates were seen, 0 of them missing`);
    // Otherwise the kills came when nothing was going on, and this test has shown nothing.
    expect(cutOff).toBeGreaterThan(rounds / 2);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
