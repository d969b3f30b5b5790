import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { logDigest, parseDocumentName, toHex, type Logger } from "@heddle/core";
import { Replica } from "@heddle/replica";
import {
  deviceKeyFileIn,
  ephemeralDeviceKey,
  nodeEnvironment,
  openDeviceKey,
} from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { sleep } from "../integration/stock-client.ts";
import { RelayProcess } from "../processes/relay-process.ts";

// Goal: the first sync of a library goes on where it was when the new replica is killed in the middle.
// Method: a relay with a library, an empty one that dials it, kill -9 while documents come, and a start on
// what is on disk. Then both stores are read.

const documents = 300;
const together = 100;
const ignore = (): void => undefined;
const silent: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const environment = nodeEnvironment(silent);

async function writeLibrary(folder: string): Promise<void> {
  const store = await openLevelStore(folder, { environment });
  const signer = await openDeviceKey(deviceKeyFileIn(folder));
  const replica = await Replica.open({ store, environment, signer, engine: "test", idleMs: 1 });
  const write = async (index: number): Promise<void> => {
    const document = await replica.acquire(parseDocumentName(`document ${index}`));
    const ydoc = new Y.Doc();
    ydoc.getText("text").insert(0, `text ${index}`);
    document.submit(Y.encodeStateAsUpdate(ydoc), {});
    await document.whenSettled();
    replica.release(document);
  };
  for (let from = 0; from < documents; from += together) {
    await Promise.all(Array.from({ length: together }, (_, index) => write(from + index)));
  }
  await replica.close();
  await store.close();
}

/** Digest L of every document in a folder that nobody uses, after what a start does with it. */
async function libraryOf(folder: string): Promise<ReadonlyMap<string, string>> {
  const store = await openLevelStore(folder, { environment });
  const replica = await Replica.open({
    store,
    environment,
    signer: ephemeralDeviceKey(),
    engine: "test",
  });
  const library = new Map<string, string>();
  for await (const { id, vector } of store.readDocuments()) {
    library.set(id, toHex(logDigest(environment.hash, vector)));
  }
  await replica.close();
  await store.close();
  return library;
}

/** Resolves when a counter of a relay's wire is higher than `bound`, with what it is. */
async function whenAbove(relay: RelayProcess, event: string, bound: number): Promise<number> {
  for (;;) {
    const count = await counterOf(relay, event);
    if (count > bound) return count;
    await sleep(10);
  }
}

async function counterOf(relay: RelayProcess, event: string): Promise<number> {
  const page = await relay.metrics();
  const line = new RegExp(`^heddle_sync_\\w+\\{\\w+="${event}"\\} (\\d+)$`, "m").exec(page);
  return Number(line?.[1] ?? 0);
}

test("[LIB-5] a first sync that is killed in the middle goes on where it was", async () => {
  const root = await mkdtemp(path.join(tmpdir(), "heddle-library-"));
  const [full, empty] = ["full", "empty"].map((name) => path.join(root, name)) as [string, string];
  const admin = ["--admin-port", "0"];
  try {
    await writeLibrary(full);
    await using source = await RelayProcess.start({ data: full, flags: admin });
    const flags = [...admin, "--peer", source.url.replace("http", "ws")];
    const start = () => RelayProcess.start({ data: empty, flags });
    let before = documents;
    // On a machine that is busy elsewhere the kill may come too late: then once more from nothing.
    while (before === documents) {
      await rm(empty, { recursive: true, force: true });
      await using killed = await start();
      before = await whenAbove(killed, "envelopesStored", 20);
      await killed.kill();
    }
    {
      await using target = await start();
      await whenAbove(target, "librariesAgreed", 0);
      // What was stored and not counted any more before the kill makes it less.
      expect(await counterOf(target, "envelopesStored")).toBeLessThanOrEqual(documents - before);
      await target.kill();
    }
    await source.kill();
    const library = await libraryOf(full);
    expect(library.size).toBe(documents);
    expect(await libraryOf(empty)).toEqual(library);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}, 120_000);
