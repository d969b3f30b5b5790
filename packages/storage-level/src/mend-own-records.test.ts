import { toHex } from "@heddle/core";
import {
  collect,
  collectChunks,
  testCheckpoint,
  testDocument,
  testEnvironment,
  TestWriter,
} from "@heddle/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { openLevelDatabase, type LogDatabase } from "./level-database.ts";
import type { LevelLogStore } from "./level-log-store.ts";
import { openLevelStore } from "./open-level-store.ts";
import {
  arrivalKey,
  deviceKey,
  feedFloorKey,
  headKey,
  incarnationKey,
  laneAliasKey,
  laneKey,
  markKey,
  storeKey,
} from "./record-keys.ts";
import { logFolderName } from "./store-layout.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";

// Goal: one flipped bit in a small record keeps no store closed where something else says what the record was;
// what nothing proves is refused, or said to be lost, as before.
// Method: a real store of three openings with a pruned feed; bits of its records are flipped while it is closed.
describe("small records of a store", () => {
  const environment = testEnvironment("own records");
  const notes = testDocument(environment, "notes");
  const device = new Uint8Array(32).fill(7);
  const corrupt = { code: "HEDDLE_STORAGE_CORRUPT" };
  let place: TemporaryFolder;
  let lane: TestWriter;
  let last: number;

  const open = () => openLevelStore(place.folder, { environment, feedGroupsMax: 2 });
  const inStore = async <Value>(work: (store: LevelLogStore) => Promise<Value>): Promise<Value> => {
    const store = await open();
    return work(store).finally(() => store.close());
  };
  const raw = async <Value>(work: (database: LogDatabase) => Promise<Value>): Promise<Value> => {
    const folder = `${place.folder}/${logFolderName}`;
    const database = await openLevelDatabase(folder, { createIfMissing: false });
    return work(database).finally(() => database.close());
  };
  const recordOf = (key: Uint8Array) => raw(async (database) => (await database.get(key))!);
  const put = (key: Uint8Array, value: Uint8Array) => {
    return raw((database) => database.write([{ type: "put", key, value }]));
  };
  /** Bits of a record, counted from its beginning. */
  const flip = async (key: Uint8Array, ...bits: readonly number[]) => {
    const value = (await recordOf(key)).slice();
    for (const bit of bits) value[bit >> 3]! ^= 1 << (bit & 7);
    await put(key, value);
  };
  const contentOf = async (store: LevelLogStore) => ({
    log: (await collectChunks(store.readLog(notes.id))).map(({ bytes }) => toHex(bytes)),
    lanes: (await collect(store.readLanes())).map(({ bytes }) => toHex(bytes)),
    arrivals: await collectChunks(store.readArrivals(0)),
  });

  beforeEach(async () => {
    place = await temporaryFolder();
    lane = await TestWriter.open(environment);
    await inStore(async (store) => {
      await store.append({ lanes: [lane.lane], documents: [notes] });
      for (let turn = 0; turn < 3; turn++) {
        await store.append({ envelopes: [lane.seal(notes.id)] });
      }
      const vector = lane.vector(notes.id);
      await store.append({ checkpoints: [testCheckpoint(notes, 1, vector)] });
      const floors = new Map([[lane.lane.id, 3]]);
      await store.append({ prune: [{ document: notes.id, floors }] });
    });
    for (let opening = 2; opening <= 3; opening++) {
      await inStore(async (store) => {
        await store.append({ envelopes: [lane.seal(notes.id)] });
        await store.noteDevice(device);
        await store.openingTold();
        last = await store.readLastArrival();
      });
    }
  });
  afterEach(() => place.remove());

  it("[STO-19] one bit of a record that the opening needs is turned back where something else proves it, and said", async () => {
    const before = await inStore(contentOf);
    const keys = [storeKey, headKey, feedFloorKey, arrivalKey(last), laneKey(1)];
    for (const [index, key] of keys.entries()) {
      const record = await recordOf(key);
      // Once of its checksum, else of its payload.
      await flip(key, index === 0 ? 50 : record.length * 8 - 12);
      await inStore(async (store) => {
        expect(store.opening.rollback).toBeUndefined();
        expect(await contentOf(store)).toEqual(before);
        const events = await eventsIn(store);
        expect(events).toHaveLength(index + 1);
        expect(events.at(-1)).toContain("record-mended: one bit of");
        expect(events.at(-1)).toContain(toHex(key));
      });
      expect(await recordOf(key)).toEqual(record);
    }
  });

  it("[STO-19] several at once are turned back one upon the other, without a mark as well", async () => {
    const keys = [feedFloorKey, arrivalKey(last - 1), arrivalKey(last), headKey, storeKey];
    const records = [];
    for (const key of keys) records.push(await recordOf(key));
    for (const key of [markKey, ...keys]) await flip(key, 100);
    await inStore(async (store) => {
      expect(await eventsIn(store)).toHaveLength(keys.length);
      expect(store.opening.rollback).toBeUndefined();
    });
    for (const [index, key] of keys.entries()) expect(await recordOf(key)).toEqual(records[index]);
  });

  it("[STO-19] what nothing proves stays as it is, and is refused", async () => {
    for (const key of [storeKey, headKey, arrivalKey(last), feedFloorKey]) {
      const record = await recordOf(key);
      await flip(key, 90, 101);
      const flipped = await recordOf(key);
      await expect(open(), toHex(key)).rejects.toMatchObject(corrupt);
      expect(await recordOf(key)).toEqual(flipped);
      await put(key, record);
    }
    // One bit, and the group that would prove it is gone.
    const group = await recordOf(arrivalKey(last));
    await raw((database) => database.write([{ type: "del", key: arrivalKey(last) }]));
    await flip(headKey, 100);
    await expect(open()).rejects.toMatchObject(corrupt);
    await put(arrivalKey(last), group);
    expect((await inStore(async ({ opening }) => opening)).lastArrival).toBe(last);
    // Of a lane: two bits; and one, where nobody says whose record it was.
    await flip(laneKey(1), 90, 101);
    const readLanes = () => inStore((store) => collect(store.readLanes()));
    await expect(readLanes()).rejects.toMatchObject(corrupt);
    await flip(laneKey(1), 90);
    await flip(laneAliasKey(lane.lane.id), 90);
    await expect(readLanes()).rejects.toMatchObject(corrupt);
  });

  it("[STO-20] the history of openings begins behind one that is damaged, and the witness proves the last one", async () => {
    const openings = () => inStore((store) => store.readIncarnations());
    const before = await openings();
    expect(before).toHaveLength(4);
    await flip(incarnationKey(2), 100, 111);
    expect((await openings()).slice(0, 2)).toEqual(before.slice(2));
    await flip(incarnationKey(5), 100);
    await inStore(async (store) => {
      expect(store.opening.rollback).toBeUndefined();
      const [first, ...others] = await store.readIncarnations();
      expect([first!.nonce, others]).toEqual([store.opening.incarnation, []]);
    });
    await flip(incarnationKey(6), 100, 111);
    const { opening } = await inStore(async (store) => store);
    expect(opening.rollback).toEqual({ reason: "history-differs", groupsLost: 0 });
  });

  it("[STO-20] a device key that cannot be read on record is another one, unless it is the one of now", async () => {
    const record = await recordOf(deviceKey);
    await flip(deviceKey, 100);
    await inStore(async (store) => {
      expect(await store.noteDevice(device)).toBe(false);
      expect((await eventsIn(store)).at(-1)).toContain("record-mended: one bit of the record");
    });
    expect(await recordOf(deviceKey)).toEqual(record);
    await flip(deviceKey, 100, 111);
    await inStore(async (store) => {
      expect(await store.noteDevice(device)).toBe(true);
      const said = `device-changed: the device key was one whose record is damaged, and is ${toHex(device)}`;
      expect((await eventsIn(store)).at(-1)).toBe(said);
    });
    expect(await recordOf(deviceKey)).toEqual(record);
  });
});

async function eventsIn(store: LevelLogStore): Promise<string[]> {
  return (await store.readJournal()).map(({ event, detail }) => `${event}: ${detail}`);
}
