import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect, test } from "vitest";

import { sleep, until } from "../integration/stock-client.ts";
import { connectStock, type StockClient } from "../interop/stock-providers.ts";
import { RelayProcess } from "../processes/relay-process.ts";

// Goal: two relays that keep each other in agreement are one to their clients, and either may die.
// Method: stock clients write to both without a pause, one relay is killed with -9 again and again while
// the other goes on; in the end every item that was written is in every client once, and in the folder
// of each relay alone.

const documents = ["first", "second"];
const kills = 3;
const version = "3.1.0";

class Writers {
  /** By document: everything that was written, and who writes it. */
  readonly written = new Map<string, string[]>(documents.map((name) => [name, []]));
  readonly clients: readonly { readonly client: StockClient; readonly items: string[] }[];

  constructor(relays: readonly RelayProcess[]) {
    this.clients = relays.flatMap((relay) => {
      return [...this.written].map(([name, items]) => {
        return { client: connectStock({ url: socketOf(relay), name, version }), items };
      });
    });
  }

  get haveAll(): boolean {
    return this.clients.every(({ client, items }) => listOf(client).length >= items.length);
  }

  write(): void {
    for (const [index, { client, items }] of this.clients.entries()) {
      const item = `${index}: ${items.length}`;
      items.push(item);
      client.ydoc.getArray<string>("list").push([item]);
    }
  }

  [Symbol.dispose](): void {
    for (const { client } of this.clients) client[Symbol.dispose]();
  }
}

function socketOf({ url }: RelayProcess): string {
  return url.replace("http", "ws");
}

function listOf({ ydoc }: StockClient): string[] {
  return ydoc.getArray<string>("list").toArray();
}

test("[RLY-1][WIR-15] two peered relays under load, one killed again and again: nothing is lost, nothing comes twice", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "heddle-peers-"));
  const data = { a: path.join(folder, "a"), b: path.join(folder, "b") };
  try {
    const written = await writeThroughKills(data);
    for (const alone of [data.a, data.b]) {
      await using relay = await RelayProcess.start({ data: alone });
      for (const name of documents) {
        using fresh = connectStock({ url: socketOf(relay), name, version });
        await until(() => fresh.provider.synced, "a fresh client is synced");
        expect(listOf(fresh).toSorted()).toEqual(written.get(name)?.toSorted());
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

async function writeThroughKills(data: { readonly a: string; readonly b: string }) {
  await using a = await RelayProcess.start({ data: data.a });
  const asPeer = ["--peer", socketOf(a)];
  let b = await RelayProcess.start({ data: data.b, flags: asPeer });
  try {
    const { port } = b;
    using writers = new Writers([a, b]);
    for (let kill = 0; kill < kills; kill++) {
      const until = performance.now() + 500 + Math.random() * 500;
      while (performance.now() < until) {
        writers.write();
        await sleep(5);
      }
      await b.kill();
      // Whoever is at the other relay does not notice.
      for (let round = 0; round < 20; round++) {
        writers.write();
        await sleep(5);
      }
      b = await RelayProcess.start({ data: data.b, flags: asPeer, port });
    }
    await until(() => writers.haveAll, "everybody has everything");
    for (const { client, items } of writers.clients) {
      expect(listOf(client).toSorted()).toEqual(items.toSorted());
    }
    return writers.written;
  } finally {
    await b[Symbol.asyncDispose]();
  }
}
