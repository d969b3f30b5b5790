import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { webSocketTransport } from "@heddle/client";
import type { Logger } from "@heddle/core";
import type { LiveReplica } from "@heddle/replica";
import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { expect, test } from "vitest";
import { WebSocket } from "ws";

import { until } from "../integration/stock-client.ts";
import { connectStock } from "../interop/stock-providers.ts";
import { RelayProcess } from "../processes/relay-process.ts";

// Goal: a folder that was copied, or put back, is not believed where it stands; what was written before
// and after it on either side is in every replica once, and somebody is told.
// Method: real folders of real replicas, copied and replaced with files of the system, a relay as people
// start it.

class Folders implements AsyncDisposable {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  static async make(): Promise<Folders> {
    return new Folders(await mkdtemp(path.join(tmpdir(), "heddle-copied-")));
  }

  at(name: string): string {
    return path.join(this.#root, name);
  }

  copy(from: string, to: string): Promise<void> {
    return cp(this.at(from), this.at(to), { recursive: true });
  }

  /** What somebody does who puts a backup back by hand. */
  async putBack(backup: string, name: string): Promise<void> {
    await rm(this.at(name), { recursive: true });
    await this.copy(backup, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
  }
}

/** An application with one document, and what it logged. */
class App implements AsyncDisposable {
  readonly logged: string[];
  readonly #replica: LiveReplica;
  readonly #list: { push(items: string[]): void; toArray(): string[] };
  readonly #whenSaved: () => Promise<void>;

  private constructor(replica: LiveReplica, logged: string[], notes: Notes) {
    this.#replica = replica;
    this.logged = logged;
    this.#list = notes.ydoc.getArray<string>("list");
    this.#whenSaved = () => notes.whenSaved();
  }

  static async open(folder: string, relay?: RelayProcess): Promise<App> {
    const logged: string[] = [];
    const note = (event: string): void => void logged.push(event);
    const logger: Logger = { debug: note, info: note, warn: note, error: note };
    const url = relay ? socketOf(relay) : "ws://127.0.0.1:1";
    const peers = [{ name: "relay", transport: webSocketTransport({ url, WebSocket }) }];
    const replica = await openReplica({ store: levelStore(folder), logger, peers });
    return new App(replica, logged, await replica.open("notes"));
  }

  get items(): readonly string[] {
    return this.#list.toArray().toSorted();
  }

  /** Envelopes that nobody is known to have but this folder. */
  get outbox(): number {
    return this.#replica.peers!.outbox.envelopes;
  }

  async write(...items: string[]): Promise<void> {
    this.#list.push(items);
    await this.#whenSaved();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#replica.close();
  }
}

type Notes = Awaited<ReturnType<LiveReplica["open"]>>;

function socketOf({ url }: RelayProcess): string {
  return url.replace("http", "ws");
}

/** A stock client of a relay, with the same list. */
function reader(relay: RelayProcess) {
  const client = connectStock({ url: socketOf(relay), name: "notes", version: "3.1.0" });
  const list = client.ydoc.getArray<string>("list");
  return {
    get items(): readonly string[] {
      return list.toArray().toSorted();
    },
    push: (item: string): void => list.push([item]),
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}

async function agree(
  holders: readonly { readonly items: readonly string[] }[],
  items: readonly string[],
): Promise<void> {
  const isWhole = ({ items: held }: { readonly items: readonly string[] }) => {
    return held.length >= items.length;
  };
  await until(() => holders.every(isWhole), "everybody has everything", 60_000, 20);
  // Once each, and nothing else.
  for (const holder of holders) expect(holder.items).toEqual(items.toSorted());
}

test("[WIR-8][WIR-18][WIR-20] a folder is copied, both are written in apart, and both meet one relay", async () => {
  await using folders = await Folders.make();
  await using relay = await RelayProcess.start({ data: folders.at("relay") });
  {
    await using app = await App.open(folders.at("a"), relay);
    await app.write("before");
    await until(() => app.outbox === 0, "the relay has it");
  }
  await folders.copy("a", "b");
  {
    await using first = await App.open(folders.at("a"));
    await using second = await App.open(folders.at("b"));
    // The folder that was moved nowhere believes what it was told, its copy does not.
    expect([first.outbox, second.outbox]).toEqual([0, 1]);
    expect(first.logged).not.toContain("store.rolled_back");
    expect(second.logged).toContain("store.rolled_back");
    await first.write("a1", "a2");
    await second.write("b1");
    await second.write("b2");
  }
  await using first = await App.open(folders.at("a"), relay);
  await using second = await App.open(folders.at("b"), relay);
  using stock = reader(relay);
  await agree([first, second, stock], ["before", "a1", "a2", "b1", "b2"]);
  await first.write("a3");
  await second.write("b3");
  await agree([first, second, stock], ["before", "a1", "a2", "a3", "b1", "b2", "b3"]);
});

test("[WIR-8][WIR-18][WIR-20] a folder is put back to an older state, is written in, and meets the relay that has more", async () => {
  await using folders = await Folders.make();
  await using relay = await RelayProcess.start({ data: folders.at("relay") });
  using stock = reader(relay);
  {
    await using app = await App.open(folders.at("a"), relay);
    await app.write("before");
    await until(() => app.outbox === 0, "the relay has it");
  }
  await folders.copy("a", "backup");
  {
    await using app = await App.open(folders.at("a"), relay);
    await app.write("lost here 1");
    await app.write("lost here 2");
    await until(() => app.outbox === 0, "the relay has it");
  }
  await folders.putBack("backup", "a");
  stock.push("meanwhile");
  {
    await using app = await App.open(folders.at("a"));
    expect(app.logged).toContain("store.rolled_back");
    expect(app.outbox).toBe(1);
    await app.write("apart");
  }
  await using app = await App.open(folders.at("a"), relay);
  await agree([app, stock], ["before", "lost here 1", "lost here 2", "meanwhile", "apart"]);
  await until(() => app.outbox === 0, "the relay has all of it");
});

test("[STO-9][WIR-15][WIR-20] a relay's folder is put back to an older state while its peer has moved on", async () => {
  await using folders = await Folders.make();
  await using first = await RelayProcess.start({ data: folders.at("first") });
  const flags = ["--peer", socketOf(first), "--admin-port", "0"];
  const data = folders.at("second");
  {
    await using second = await RelayProcess.start({ data, flags });
    using left = reader(first);
    using right = reader(second);
    left.push("before");
    await agree([left, right], ["before"]);
  }
  await folders.copy("second", "backup");
  {
    await using second = await RelayProcess.start({ data, flags });
    using left = reader(first);
    using right = reader(second);
    right.push("written there, lost there");
    left.push("written here");
    await agree([left, right], ["before", "written there, lost there", "written here"]);
  }
  using left = reader(first);
  await folders.putBack("backup", "second");
  left.push("while it was away");
  const log: string[] = [];
  const onLogLine = (line: string): void => void log.push(line);
  await using second = await RelayProcess.start({ data, flags, onLogLine });
  using right = reader(second);
  right.push("after");
  const all = ["before", "written there, lost there", "written here", "while it was away", "after"];
  await agree([left, right], all);
  expect(log.join("\n")).toContain("store.rolled_back");
  expect(JSON.parse(await second.ready())).toMatchObject({ degraded: expect.anything() });
});
