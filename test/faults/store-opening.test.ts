import { cp, readdir, readFile, rename, unlink, writeFile } from "node:fs/promises";
import path from "node:path";

import { toHex } from "@heddle/core";
import {
  compactStore,
  logFolderName,
  openLevelDatabase,
  openLevelStore,
  quarantineFolderName,
  readWitness,
  verifyFolder,
  writeWitness,
  type LevelLogStore,
} from "@heddle/storage-level";
import { collectChunks, testEnvironment, testHash } from "@heddle/testkit";
import { expect, test } from "vitest";

import { corrupt, StoreFolder } from "./store-survey.ts";
import { inStore, TypedText } from "./written-store.ts";

// Goal: a start destroys nothing that its manifest does not explain, and is never quietly shorter.
// Method: files of two times in one folder, leftovers as crashes make them, bits of a log flipped; then a
// start, and a look at every file that was there.

const words = (count: number, label: string) =>
  Array.from({ length: count }, (_, index) => `${label}${index} `);

interface TwoTimes extends AsyncDisposable {
  /** Killed while it was written to. */
  readonly later: StoreFolder;
  /** The same folder two sessions before. */
  readonly older: StoreFolder;
}

async function twoTimes(seed: string): Promise<TwoTimes> {
  const [place, older, later] = [
    await StoreFolder.makeQuick(),
    await StoreFolder.makeQuick(),
    await StoreFolder.makeQuick(),
  ];
  const text = new TypedText(seed, "notes");
  const session = (label: string) => async (store: LevelLogStore) => {
    await text.type(store, words(30, label));
  };
  await inStore(place.folder, session("a"));
  await inStore(place.folder, session("b"));
  await cp(place.folder, older.folder, { recursive: true });
  await inStore(place.folder, session("c"));
  await inStore(place.folder, async (store) => {
    await session("d")(store);
    await cp(place.folder, later.folder, { recursive: true });
  });
  const dispose = async (): Promise<void> => {
    for (const folder of [place, older, later]) await folder[Symbol.asyncDispose]();
  };
  return { later, older, [Symbol.asyncDispose]: dispose };
}

const overlays: Readonly<Record<string, (times: TwoTimes) => Promise<void>>> = {
  "all of it": ({ older, later }) => cp(older.logFolder, later.logFolder, { recursive: true }),
  "all of it, and the newest log is gone": async ({ older, later }) => {
    const [log] = (await filesIn(later)).filter((name) => name.endsWith(".log")).slice(-1);
    await cp(older.logFolder, later.logFolder, { recursive: true });
    await unlink(path.join(later.logFolder, log!));
  },
  "its CURRENT and its manifest": async ({ older, later }) => {
    for (const name of await readdir(older.logFolder)) {
      if (!/^(?:CURRENT|MANIFEST)/.test(name)) continue;
      await cp(path.join(older.logFolder, name), path.join(later.logFolder, name));
    }
  },
  "its tables, CURRENT and manifest, without its log": async ({ older, later }) => {
    for (const name of await readdir(older.logFolder)) {
      if (name.endsWith(".log")) continue;
      await cp(path.join(older.logFolder, name), path.join(later.logFolder, name));
    }
  },
};

test.each(Object.keys(overlays))(
  "[STO-6] an older log laid over a newer one is refused with every file in its place: %s",
  async (name) => {
    await using times = await twoTimes("overlay");
    await overlays[name]!(times);
    const before = await hashesIn(times.later);
    for (let attempt = 0; attempt < 2; attempt++) {
      const opening = openLevelStore(times.later.folder, { environment: testEnvironment("start") });
      await expect(opening).rejects.toMatchObject({ code: corrupt });
    }
    await expect(compactStore(times.later.folder, testHash)).rejects.toMatchObject({
      code: corrupt,
    });
    expect(await hashesIn(times.later)).toEqual(before);
  },
);

test("[STO-6] what a crash leaves of a table is set aside for the opening, and goes when all is there", async () => {
  await using times = await twoTimes("leftovers");
  const { later } = times;
  const table = (await filesIn(later)).find((name) => name.endsWith(".ldb"));
  const bytes = await readFile(path.join(later.logFolder, table!));
  // A compaction that had written one table whole and was in the middle of the next.
  await writeFile(path.join(later.logFolder, "000090.ldb"), bytes);
  await writeFile(path.join(later.logFolder, "000091.ldb"), bytes.subarray(0, bytes.length / 2));
  await writeFile(path.join(later.logFolder, "000092.ldb"), "");
  const store = await openLevelStore(later.folder, { environment: testEnvironment("start") });
  expect(store.opening.rollback).toMatchObject({ reason: "copied" });
  await store.openingTold();
  await store.close();
  // The folder is a copy, and so may lack something: what nobody can read is kept.
  const kept = await readdir(path.join(later.folder, quarantineFolderName));
  expect(kept.map((name) => name.slice(-10)).toSorted()).toEqual(["000091.ldb", "000092.ldb"]);
  await writeFile(path.join(later.logFolder, "000095.ldb"), bytes.subarray(0, 100));
  await inStore(later.folder, async ({ opening }) => expect(opening.rollback).toBeUndefined());
  expect(await readdir(path.join(later.folder, quarantineFolderName))).toEqual(kept);
  expect(await filesIn(later)).not.toContain("000095.ldb");
});

test("[STO-9] a log damaged near its end is a rollback by as many groups as can be seen behind it", async () => {
  await using times = await twoTimes("middle");
  const { later } = times;
  await makeOwn(later, { number: 0, chain: new Uint8Array(16) });
  const log = await newestLog(later);
  const bytes = await readFile(log);
  bytes[bytes.length - 4_000]! ^= 0x10;
  await writeFile(log, bytes);
  const environment = testEnvironment("start");
  const store = await openLevelStore(later.folder, { environment });
  const { rollback, lastArrival } = store.opening;
  expect(rollback).toMatchObject({ reason: "groups-lost" });
  const present = await collectChunks(store.readArrivals(0));
  expect(present.at(-1)!.number).toBe(lastArrival);
  // Four sessions: a group for the lane and thirty for the words of each.
  expect(lastArrival + rollback!.groupsLost).toBe(4 * 31);
  expect((await store.readJournal()).map(({ event }) => event)).toEqual([
    "log-set-aside",
    "store-rolled-back",
  ]);
  await store.close();
});

test("[STO-9] a log whose last record is damaged is a rollback of which nobody can say how far", async () => {
  await using times = await twoTimes("end");
  const { later } = times;
  await makeOwn(later, { number: 0, chain: new Uint8Array(16) });
  const log = await newestLog(later);
  const bytes = await readFile(log);
  bytes[bytes.length - 20]! ^= 0x10;
  await writeFile(log, bytes);
  const store = await openLevelStore(later.folder, { environment: testEnvironment("start") });
  expect(store.opening.rollback).toEqual({ reason: "log-damaged", groupsLost: 0 });
  await store.close();
});

test("[STO-6] a log damaged before other records is refused, and left for repair", async () => {
  await using place = await StoreFolder.makeQuick();
  await using killed = await StoreFolder.makeQuick();
  const text = new TypedText("blocks", "notes");
  await inStore(place.folder, async (store) => {
    await text.type(store, words(150, "a"));
    await cp(place.folder, killed.folder, { recursive: true });
  });
  const log = await newestLog(killed);
  const bytes = await readFile(log);
  expect(bytes.length).toBeGreaterThan(40_000);
  bytes[10_000]! ^= 0x10;
  await writeFile(log, bytes);
  const before = await hashesIn(killed);
  const opening = openLevelStore(killed.folder, { environment: testEnvironment("start") });
  const message = expect.stringMatching(/commit groups \d+ to \d+ are missing/);
  await expect(opening).rejects.toMatchObject({ code: corrupt, message });
  expect(await hashesIn(killed)).toEqual(before);
});

test("[STO-1] an end that never reached the disk whole is no damage, whatever is missing of it", async () => {
  await using times = await twoTimes("torn");
  const { later } = times;
  await makeOwn(later);
  const log = await newestLog(later);
  const whole = await readFile(log);
  // A write that nobody waited for, of which only some sectors arrived.
  const torn = Buffer.concat([whole, Buffer.alloc(3_000, 0x61)]);
  torn.writeUInt16LE(2_993, whole.length + 4);
  torn[whole.length + 6] = 1;
  torn.fill(0, Math.ceil((whole.length + 600) / 512) * 512);
  for (const [name, bytes] of Object.entries({
    cut: whole.subarray(0, whole.length - 5),
    zeros: Buffer.concat([whole, Buffer.alloc(9_000)]),
    sectors: torn,
  })) {
    await using copy = await StoreFolder.makeQuick();
    await cp(later.folder, copy.folder, { recursive: true });
    await makeOwn(copy, name === "cut" ? { number: 0, chain: new Uint8Array(16) } : {});
    await writeFile(path.join(copy.logFolder, path.basename(log)), bytes);
    const environment = testEnvironment(name);
    const store = await openLevelStore(copy.folder, { environment });
    expect(store.opening.rollback, name).toBeUndefined();
    expect(environment.logger.lines.filter(({ level }) => level === "error")).toEqual([]);
    await store.close();
  }
});

test("[STO-6] a folder that was moved in two halves is refused", async () => {
  await using times = await twoTimes("halves");
  const { later } = times;
  const log = (await filesIn(later)).find((name) => name.endsWith(".log"));
  await rename(path.join(later.logFolder, log!), path.join(later.folder, "elsewhere"));
  const before = await hashesIn(later);
  const opening = openLevelStore(later.folder, { environment: testEnvironment("start") });
  await expect(opening).rejects.toMatchObject({ code: corrupt });
  expect(await hashesIn(later)).toEqual(before);
});

async function filesIn({ logFolder }: StoreFolder): Promise<string[]> {
  return (await readdir(logFolder)).filter((name) => !/^LO(?:G|CK)/.test(name)).toSorted();
}

async function newestLog(place: StoreFolder): Promise<string> {
  const logs = (await filesIn(place)).filter((name) => name.endsWith(".log"));
  return path.join(place.logFolder, logs.at(-1)!);
}

async function hashesIn(place: StoreFolder): Promise<[string, string][]> {
  const hashes: [string, string][] = [];
  for (const name of await filesIn(place)) {
    const bytes = await readFile(path.join(place.folder, logFolderName, name));
    hashes.push([name, toHex(testHash.sha256(bytes))]);
  }
  return hashes;
}

/** A copy that takes itself for the original, with the witness at some other group. */
async function makeOwn({ folder }: StoreFolder, changes: object = {}): Promise<void> {
  const found = await readWitness(folder);
  if (found.found !== "whole") throw new Error(`the witness is ${found.found}`);
  await writeWitness(folder, { ...found.witness, ...changes });
}

test("[STO-9] an opening that dies once LevelDB has dropped a damaged end leaves word of it", async () => {
  for (const fromEnd of [4_000, 20]) {
    await using times = await twoTimes(`died ${fromEnd}`);
    const { later } = times;
    await makeOwn(later, { number: 0, chain: new Uint8Array(16) });
    const log = await newestLog(later);
    const bytes = await readFile(log);
    bytes[bytes.length - fromEnd]! ^= 0x10;
    await writeFile(log, bytes);
    await openAndDie(later.folder);
    const { findings } = await verifyFolder(later.folder, { hash: testHash });
    const reason = fromEnd === 20 ? "log-damaged" : "groups-lost";
    expect(findings.map(({ what }) => what)).toContainEqual(expect.stringContaining(reason));
    const store = await openLevelStore(later.folder, { environment: testEnvironment("again") });
    expect(store.opening.rollback).toMatchObject({ reason });
    const journal = (await store.readJournal()).map(({ event }) => event);
    expect(journal).toEqual(["log-set-aside", "store-rolled-back"]);
    await store.openingTold();
    await store.close();
    const last = await openLevelStore(later.folder, { environment: testEnvironment("last") });
    expect(last.opening.rollback).toBeUndefined();
    await last.close();
    const mended = await verifyFolder(later.folder, { hash: testHash });
    const what = expect.stringContaining(`rolled back (${reason})`);
    expect(mended.findings).toMatchObject([{ severity: "notice", part: "history", what }]);
  }
});

/** As a process that is killed once LevelDB has opened the log, and before anything was written to it. */
async function openAndDie(folder: string): Promise<void> {
  const opening = openLevelStore(folder, {
    environment: testEnvironment("dies"),
    openDatabase: async (log, options) => {
      await (await openLevelDatabase(log, options)).close();
      throw new Error("killed");
    },
  });
  await expect(opening).rejects.toThrow("killed");
}
