import { HeddleErrorCode, laneId, toHex, type DocumentId, type LogPrune } from "@heddle/core";
import {
  collectChunks,
  collectLog,
  testCheckpoint,
  testDocument,
  testEnvironment,
  TestWriter,
} from "@heddle/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { FaultyLevel } from "./faulty-database.fixture.ts";
import type { LevelLogStore } from "./level-log-store.ts";
import { openLevelStore } from "./open-level-store.ts";
import { floorKey, markKey } from "./record-keys.ts";
import { runVerification } from "./run-verification.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";

const { storageCorrupt } = HeddleErrorCode;
const everything = { gte: new Uint8Array(), lt: Uint8Array.of(0xff) };

// Goal: what is checked at open and at reading still is, once logs begin above a floor.
// Method: a real store with one pruned document, whose records are read and changed underneath it.
describe("checkpoints on LevelDB", () => {
  const environment = testEnvironment("checkpoint store");
  const notes = testDocument(environment, "notes");
  const plans = testDocument(environment, "plans");
  let place: TemporaryFolder;
  let level: FaultyLevel;
  let store: LevelLogStore;
  let writer: TestWriter;

  const open = () => {
    return openLevelStore(place.folder, {
      environment,
      openDatabase: level.open,
      feedGroupsMax: 6,
    });
  };
  const write = async (document = notes, count = 1) => {
    for (let index = 0; index < count; index++) {
      await store.append({ envelopes: [writer.seal(document.id)] });
    }
  };
  const prune = (seq: number, more: Partial<LogPrune> = {}) => {
    const floors = new Map([[writer.lane.id, seq]]);
    return store.append({ prune: [{ document: notes.id, floors, ...more }] });
  };
  const feed = async () => {
    return (await collectChunks(store.readArrivals(0))).map(({ number }) => number);
  };
  const kindsOfRecords = async (): Promise<Map<string, number>> => {
    const kinds = new Map<string, number>();
    for (const [key] of await collectChunks(level.current!.entries(everything))) {
      const kind = String.fromCharCode(key[0]!);
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    return kinds;
  };

  beforeEach(async () => {
    place = await temporaryFolder();
    level = new FaultyLevel();
    store = await open();
    writer = await TestWriter.open(environment);
    await store.append({ lanes: [writer.lane], documents: [notes, plans] });
    await write(notes, 4);
    const checkpoint = testCheckpoint(notes, 1, writer.vector(notes.id));
    await store.append({ checkpoints: [checkpoint] });
  });
  afterEach(async () => {
    await store.close();
    await place.remove();
  });

  it("[CKP-12] verifies whole after an adoption, and finds what is lost of it", async () => {
    const other = await TestWriter.open(environment);
    await store.append({ lanes: [other.lane], envelopes: [other.seal(notes.id)] });
    const unseen = laneId(new Uint8Array(16).fill(9));
    const head = new Uint8Array(32).fill(7);
    const covered = new Map(writer.vector(notes.id));
    for (const lane of [other.lane.id, unseen]) covered.set(lane, { seq: 9_000_000, head });
    const checkpoint = testCheckpoint(notes, 2, covered);
    const floors = new Map([other.lane.id, unseen].map((lane) => [lane, 9_000_000]));
    await store.append({ adopt: [{ document: notes.id, checkpoint, floors }] });
    const findings = async () => {
      await store.close();
      const { findings: found } = await runVerification({ folder: place.folder, way: "copy" });
      store = await open();
      return found.map(({ what }) => what);
    };
    expect(await findings()).toEqual([]);
    await store.append({ vectors: [{ document: notes.id, vector: covered }] });
    expect(await findings()).toEqual([]);
    await level.current!.write([{ type: "del", key: floorKey(notes.id, 3) }]);
    expect(await findings()).toContainEqual(expect.stringContaining(`of lane ${unseen}`));
  });

  it("[CKP-4] deletes the records of what it drops, and no other", async () => {
    const before = await kindsOfRecords();
    expect([before.get("E"), before.get("C"), before.get("c")]).toEqual([4, 1, 5]);
    await store.append({ checkpoints: [testCheckpoint(notes, 2, writer.vector(notes.id), 10)] });
    await write(plans);
    await prune(3, { checkpointsBelow: 2 });
    const after = await kindsOfRecords();
    expect([after.get("E"), after.get("C"), after.get("c"), after.get("f")]).toEqual([2, 1, 2, 1]);
  });

  it("[CKP-4] verifies from where the feed begins when the mark is damaged", async () => {
    await write(plans);
    await prune(4);
    await write(notes, 2);
    await store.close();
    const database = await level.open(`${place.folder}/log`, { createIfMissing: false });
    const mark = (await database.get(markKey))!;
    await database.write([{ type: "put", key: markKey, value: mark.with(12, mark[12]! ^ 1) }]);
    await database.close();
    store = await open();
    expect(store.opening.arrivalsVerified).toBe((await feed()).length);
    expect(await collectLog(store, notes.id)).toHaveLength(2);
  });

  it("[STO-7] still misses an envelope above the floor", async () => {
    await write(plans);
    await prune(2);
    await write(notes, 2);
    const log = await collectChunks(level.current!.entries(everything));
    const envelopes = log.filter(([key]) => key[0] === 0x45 && toHex(key).includes(notes.id));
    const [key] = envelopes.at(-2)!;
    await level.current!.write([{ type: "del", key }]);
    await expect(collectLog(store, notes.id)).rejects.toMatchObject({ code: storageCorrupt });
  });

  it("[CKP-4] lets the feed forget groups that are old enough, whatever they list", async () => {
    await write(plans, 12);
    await prune(4);
    const last = (await feed()).at(-1)!;
    expect(await feed()).toEqual([5, 4, 3, 2, 1, 0].map((back) => last - back));
    await store.close();
    store = await open();
    expect((await feed()).at(-1)).toBe(last);
    expect(await collectLog(store, plans.id)).toHaveLength(12);
  });

  it("[STO-4][CKP-5] goes on after a failed prune as if it had been done, or had not", async () => {
    for (const fault of ["fails", "lands but fails"] as const) {
      await write(notes);
      const checkpoint = testCheckpoint(notes, 7, writer.vector(notes.id));
      await store.append({ checkpoints: [checkpoint] });
      const { seq } = writer.vector(notes.id).get(writer.lane.id)!;
      level.writeFaults.push(fault);
      await expect(prune(seq)).rejects.toThrow();
      environment.clock.advance(100);
      await new Promise<void>((resolve) => {
        const stop = store.onStateChange(({ name }) => {
          if (name !== "open") return;
          stop();
          resolve();
        });
      });
      await write(notes);
      expect((await collectLog(store, notes.id)).map((envelope) => envelope.seq)).toEqual(
        fault === "fails" ? [1, 2, 3, 4, 5, 6] : [8],
      );
    }
  });

  it("[STO-3][CKP-2] reports a flipped bit in every record of a checkpoint, and a lost one", async () => {
    const hlc = { wallMs: 1, counter: 0 };
    const attribution = {
      lane: writer.lane.id,
      fromSeq: 1,
      toSeq: 2,
      envelopes: 2,
      firstHlc: hlc,
      lastHlc: hlc,
      clients: new Map(),
      isJoined: false,
    };
    await prune(2, { attributions: [attribution] });
    await readAll(store, notes.id);
    const records = await collectChunks(level.current!.entries(everything));
    const own = records.filter(([key]) => "Ccfa".includes(String.fromCharCode(key[0]!)));
    expect(own).toHaveLength(8);
    for (const [key, value] of own) {
      const flipped = value.with(value.length - 1, value.at(-1)! ^ 4);
      await level.current!.write([{ type: "put", key, value: flipped }]);
      await expect(readAll(store, notes.id)).rejects.toMatchObject({ code: storageCorrupt });
      if (key[0] === 0x63) {
        await level.current!.write([{ type: "del", key }]);
        await expect(readAll(store, notes.id)).rejects.toMatchObject({ code: storageCorrupt });
      }
      await level.current!.write([{ type: "put", key, value }]);
      await readAll(store, notes.id);
    }
  });
});

async function readAll(store: LevelLogStore, document: DocumentId): Promise<void> {
  await store.readCheckpoints(document);
  await store.readCheckpointState(document, 1);
  await store.readFloors(document);
  await store.readAttributions(document);
}
