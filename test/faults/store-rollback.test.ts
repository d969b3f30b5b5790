import { cp, readdir, readFile, rename, rm, unlink, writeFile } from "node:fs/promises";
import path from "node:path";

import { decodeEnvelope, toHex, type LaneId } from "@heddle/core";
import {
  logFolderName,
  openLevelStore,
  readWitness,
  witnessName,
  writeWitness,
  type LevelLogStore,
} from "@heddle/storage-level";
import { collect, collectLog, testDocument, testEnvironment, TestWriter } from "@heddle/testkit";
import { expect, test } from "vitest";

import { StoreFolder } from "./store-survey.ts";

// Goal: a store that is an older state of itself says so, tells it to whoever asks later, and from
// then on never gives anything a name that the lost part had.
// Method: real LevelDB; take older copies of the folder, or parts of it, and put them in its place.

/** Appends in a lane of its own, as each start of a relay does. */
async function write(store: LevelLogStore, seed: string, count: number): Promise<LaneId> {
  const environment = testEnvironment(seed);
  const writer = await TestWriter.open(environment);
  const notes = testDocument(environment, "notes");
  await store.append({ lanes: [writer.lane], documents: [notes] });
  for (let index = 0; index < count; index++) {
    await store.append({ envelopes: [writer.seal(notes.id)] });
  }
  return writer.lane.id;
}

async function session(folder: string, seed: string, count = 5): Promise<LevelLogStore> {
  const store = await openLevelStore(folder, { environment: testEnvironment(seed) });
  await write(store, seed, count);
  await store.close();
  return store;
}

type Damage = (folder: string, older: string) => Promise<void>;

const inLog = (folder: string) => path.join(folder, logFolderName);

async function cutNewestLog(folder: string): Promise<void> {
  const logs = (await readdir(inLog(folder))).filter((name) => name.endsWith(".log"));
  await writeFile(path.join(inLog(folder), logs.toSorted().at(-1)!), "");
}

const rollbacks: Readonly<Record<string, readonly [reason: string, damage: Damage]>> = {
  "LevelDB's own log is emptied": ["groups-lost", cutNewestLog],
  "the log folder is put back an hour": [
    "groups-lost",
    async (folder, older) => {
      await rm(inLog(folder), { recursive: true });
      await cp(inLog(older), inLog(folder), { recursive: true });
    },
  ],
  "the whole folder is put back an hour": [
    "copied",
    async (folder, older) => {
      await rm(folder, { recursive: true });
      await cp(older, folder, { recursive: true });
    },
  ],
  "the log folder is put back, and written on by somebody without the witness": [
    "history-differs",
    async (folder, older) => {
      const witness = await readFile(path.join(folder, witnessName));
      await rm(inLog(folder), { recursive: true });
      await cp(inLog(older), inLog(folder), { recursive: true });
      await session(folder, "somebody else", 50);
      await replaceInPlace(path.join(folder, witnessName), witness);
    },
  ],
  "the witness is missing": ["witness-missing", (folder) => unlink(path.join(folder, witnessName))],
  "the witness is damaged": [
    "witness-damaged",
    (folder) => writeFile(path.join(folder, witnessName), "{}"),
  ],
};

/** Keeps the file that it is: only its content is that of another day. */
async function replaceInPlace(file: string, bytes: Uint8Array): Promise<void> {
  await writeFile(`${file}.old`, bytes);
  await rename(`${file}.old`, file);
}

test.each(Object.keys(rollbacks))("[STO-9] opens as rolled back when %s", async (name) => {
  const [reason, damage] = rollbacks[name]!;
  await using place = await StoreFolder.makeQuick();
  await using older = await StoreFolder.makeQuick();
  await session(place.folder, "first");
  await cp(place.folder, older.folder, { recursive: true });
  const last = await session(place.folder, "second");
  await damage(place.folder, older.folder);

  const environment = testEnvironment("after");
  const store = await openLevelStore(place.folder, { environment });
  expect(store.opening.rollback).toMatchObject({ reason });
  const incarnations = await store.readIncarnations();
  expect(incarnations.at(-1)).toMatchObject({ rollback: reason, nonce: store.opening.incarnation });
  expect(incarnations.at(-1)!.nonce).not.toEqual(last.opening.incarnation);
  expect((await store.readJournal()).at(-1)).toMatchObject({
    event: "store-rolled-back",
    detail: expect.stringContaining(reason),
  });
  expect(environment.logger.lines).toContainEqual(
    expect.objectContaining({ event: "store.rolled_back", level: "error" }),
  );
  const before = (await collect(store.readLanes())).map(({ id }) => id);
  const lane = await write(store, "after", 3);
  expect(before).not.toContain(lane);
  await expectWholeLog(store);
  await store.openingTold();
  await store.close();

  const again = await openLevelStore(place.folder, { environment: testEnvironment("again") });
  expect(again.opening.rollback).toBeUndefined();
  await expectWholeLog(again);
  await again.close();
});

test("[STO-9] a rollback is told again at every opening until somebody was there to be told", async () => {
  await using place = await putBackAnHour();
  const found: unknown[] = [];
  // A look inside, a start that failed, and one that died: each writes on.
  for (const seed of ["look", "failed", "died"]) {
    const store = await openLevelStore(place.folder, { environment: testEnvironment(seed) });
    found.push(store.opening.rollback);
    await write(store, seed, 9);
    if (seed === "died") await store.openingTold();
    await store.close();
  }
  const rollback = { reason: "groups-lost", groupsLost: 8 };
  expect(found).toEqual([rollback, rollback, rollback]);
  const served = await openLevelStore(place.folder, { environment: testEnvironment("served") });
  expect(served.opening.rollback).toBeUndefined();
  const told = (await served.readJournal()).filter(({ event }) => event === "store-rolled-back");
  expect(told).toHaveLength(1);
  await served.close();
});

test("[STO-9] says how many commit groups are known to be lost", async () => {
  await using place = await putBackAnHour();
  const store = await openLevelStore(place.folder, { environment: testEnvironment("after") });
  // One group opened the lane, seven followed.
  expect(store.opening).toMatchObject({ lastArrival: 6, rollback: { groupsLost: 8 } });
  await store.close();
});

test("[STO-9] an orderly life is no rollback: closed, killed, moved, or written by an older heddle", async () => {
  await using place = await StoreFolder.makeQuick();
  await using later = await StoreFolder.makeQuick();
  await session(place.folder, "first");
  const witness = await readFile(path.join(place.folder, witnessName));
  const second = await openLevelStore(place.folder, { environment: testEnvironment("second") });
  expect(second.opening.rollback).toBeUndefined();
  await write(second, "second", 5);
  await second.close();
  // As after kill -9: the log is ahead, and the witness still the one of the opening before.
  await rewriteWitness(place.folder, witness);
  const moved = path.join(later.folder, "moved");
  await rename(place.folder, moved);
  const third = await openLevelStore(moved, { environment: testEnvironment("third") });
  expect(third.opening.rollback).toBeUndefined();
  await third.close();
});

test("[STO-9] a copy of a folder in use opens whole, as a copy, and both live on apart", async () => {
  await using place = await StoreFolder.makeQuick();
  await using copies = await StoreFolder.makeQuick();
  const environment = testEnvironment("first", { timers: "real" });
  const store = await openLevelStore(place.folder, { environment });
  await write(store, "first", 20);
  const writing = write(store, "while it is copied", 200);
  const copy = path.join(copies.folder, "copy");
  await cp(place.folder, copy, { recursive: true });
  await writing;
  const twin = await openLevelStore(copy, { environment: testEnvironment("twin") });
  expect(twin.opening.rollback).toBeDefined();
  expect(twin.opening.lastArrival).toBeGreaterThanOrEqual(21);
  const lanes = [await write(twin, "twin", 5), await write(store, "original", 5)];
  expect(new Set(lanes).size).toBe(2);
  for (const one of [store, twin]) {
    await expectWholeLog(one);
    await one.close();
  }
  const again = await openLevelStore(place.folder, { environment: testEnvironment("again") });
  expect(again.opening.rollback).toBeUndefined();
  await again.close();
});

/** The bytes of an earlier witness under the name of the file that holds them. */
async function rewriteWitness(folder: string, earlier: Uint8Array): Promise<void> {
  const { incarnation, group, chain } = JSON.parse(Buffer.from(earlier).toString());
  const found = await readWitness(folder);
  if (found.found !== "whole") throw new Error(`the witness is ${found.found}`);
  await writeWitness(folder, {
    ...found.witness,
    incarnation: Uint8Array.from(Buffer.from(incarnation, "hex")),
    number: group,
    chain: Uint8Array.from(Buffer.from(chain, "hex")),
  });
}

/** Every envelope is there, in its place, each lane without gaps. */
async function expectWholeLog(store: LevelLogStore): Promise<void> {
  const environment = testEnvironment("reader");
  const log = await collectLog(store, testDocument(environment, "notes").id);
  const seen = new Map<string, number>();
  for (const { lane, seq, bytes } of log) {
    const envelope = decodeEnvelope(environment.hash, bytes);
    expect(`${envelope.lane} ${envelope.seq}`).toBe(`${lane} ${seq}`);
    expect(seq, `lane ${lane}`).toBe((seen.get(lane) ?? 0) + 1);
    expect(toHex(envelope.id)).toHaveLength(64);
    seen.set(lane, seq);
  }
}

/** A store that had a session of five writes, and then one of seven that its log knows nothing of. */
async function putBackAnHour(): Promise<StoreFolder> {
  const place = await StoreFolder.makeQuick();
  await session(place.folder, "first", 5);
  await using older = await StoreFolder.makeQuick();
  await cp(place.folder, older.folder, { recursive: true });
  await session(place.folder, "second", 7);
  await rollbacks["the log folder is put back an hour"]![1](place.folder, older.folder);
  return place;
}
