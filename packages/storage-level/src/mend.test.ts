import { limits, type Envelope } from "@heddle/core";
import {
  collectChunks,
  testCheckpoint,
  testDocument,
  testEnvironment,
  TestWriter,
} from "@heddle/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { FaultyLevel } from "./faulty-database.fixture.ts";
import type { LevelLogStore } from "./level-log-store.ts";
import { openLevelStore } from "./open-level-store.ts";
import {
  auditKey,
  checkpointChunkKey,
  ChunkKind,
  documentKey,
  envelopeKey,
  floorKey,
} from "./record-keys.ts";
import { encodeFields } from "./record-fields.ts";
import { putRecord } from "./records.ts";
import { runVerification } from "./run-verification.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";

// Goal: what is damaged is named exactly, and what somebody else has of it comes back to its old place.
// Method: a real store with two lanes of one document that took turns, records changed underneath it.
describe("mending a log", () => {
  const environment = testEnvironment("mending");
  const notes = testDocument(environment, "notes");
  let place: TemporaryFolder;
  let level: FaultyLevel;
  let store: LevelLogStore;
  let sealed: Envelope[];

  const open = () => openLevelStore(place.folder, { environment, openDatabase: level.open });
  const flip = async (key: Uint8Array) => {
    const value = (await level.current!.get(key))!;
    const flipped = value.with(value.length - 3, value.at(-3)! ^ 16);
    await level.current!.write([{ type: "put", key, value: flipped }]);
  };
  const lose = (key: Uint8Array) => level.current!.write([{ type: "del", key }]);
  const log = async () => {
    const stored = await collectChunks(store.readLogByArrival(notes.id));
    return stored.map(({ lane, seq }) => `${lane}/${seq}`);
  };

  beforeEach(async () => {
    place = await temporaryFolder();
    level = new FaultyLevel();
    store = await open();
    const [first, second] = [
      await TestWriter.open(environment),
      await TestWriter.open(environment),
    ];
    await store.append({ lanes: [first.lane, second.lane], documents: [notes] });
    sealed = [];
    for (let turn = 0; turn < 4; turn++) {
      const envelopes = [first, second, first].map((writer) => writer.seal(notes.id));
      sealed.push(...envelopes);
      await store.append({ envelopes });
    }
    const vector = new Map([...first.vector(notes.id), ...second.vector(notes.id)]);
    await store.append({ checkpoints: [testCheckpoint(notes, 1, first.vector(notes.id))] });
    await store.append({ vectors: [{ document: notes.id, vector }] });
  });
  afterEach(async () => {
    await store.close();
    await place.remove();
  });

  it("[DRF-3] a survey names what is damaged and missing, and nothing else", async () => {
    const [one, two] = [...new Set(sealed.map(({ lane }) => lane))];
    expect(await store.surveyDocument(notes.id)).toMatchObject({
      document: notes.id,
      entry: notes,
      lanes: [
        { lane: one, floor: 0, lastSeq: 8, holes: [], damaged: 0, last: sealed.at(-1)!.bytes },
        { lane: two, floor: 0, lastSeq: 4, holes: [], damaged: 0, last: sealed.at(-2)!.bytes },
      ],
      checkpoints: [{ number: 1, isWhole: true }],
      isVectorLost: false,
      others: [],
    });
    await flip(envelopeKey(notes.id, 1, 3));
    await lose(envelopeKey(notes.id, 1, 4));
    await flip(envelopeKey(notes.id, 1, 6));
    await lose(envelopeKey(notes.id, 2, 4));
    await flip(checkpointChunkKey(notes.id, 1, ChunkKind.state, 0));
    await flip(documentKey(notes.id));
    expect(await store.surveyDocument(notes.id)).toMatchObject({
      entry: undefined,
      lanes: [
        {
          holes: [
            { fromSeq: 3, toSeq: 4 },
            { fromSeq: 6, toSeq: 6 },
          ],
          damaged: 2,
        },
        { lastSeq: 4, holes: [{ fromSeq: 4, toSeq: 4 }], damaged: 0 },
      ],
      checkpoints: [{ number: 1, isWhole: false }],
    });
    expect(await store.surveyDocument(testDocument(environment, "others").id)).toBeUndefined();
  });

  it("[DRF-11] the record of a document is written anew where it is damaged or gone, and stays where it is whole or of a later heddle", async () => {
    const key = documentKey(notes.id);
    const entry = { ...notes, createdAt: { wallMs: 7, counter: 0 }, history: "keep" } as const;
    const mend = [{ document: notes.id, entry }];
    await store.append({ mend });
    expect((await store.readDocument(notes.id))?.createdAt).toEqual(notes.createdAt);
    for (const harm of [flip, lose]) {
      const { vector, dirty } = (await store.readDocument(notes.id))!;
      await harm(key);
      await expect(store.readDocument(notes.id)).rejects.toMatchObject({
        code: "HEDDLE_STORAGE_CORRUPT",
      });
      await store.append({ mend });
      expect(await store.readDocument(notes.id)).toEqual({ ...entry, vector, dirty });
    }
    const later = putRecord(key, encodeFields({ 1: new Uint8Array([97]), 3: 9 }));
    await level.current!.write([later]);
    await expect(store.append({ mend })).rejects.toMatchObject({ code: "HEDDLE_STORAGE_VERSION" });
    expect(await level.current!.get(key)).toEqual(later.type === "put" && later.value);
  });

  it("[DRF-12] a floor whose record is damaged is below the first envelope that is here, and is written anew", async () => {
    const [one, two] = [...new Set(sealed.map(({ lane }) => lane))];
    const prune = [{ document: notes.id, floors: new Map([[one!, 3]]) }];
    await store.append({ prune });
    const floors = new Map([
      [one!, 3],
      [two!, 1],
    ]);
    await flip(floorKey(notes.id, 1));
    await expect(store.readFloors(notes.id)).rejects.toMatchObject({
      code: "HEDDLE_STORAGE_CORRUPT",
    });
    expect(await store.surveyDocument(notes.id)).toMatchObject({
      lanes: [
        { lane: one, floor: 3, isFloorLost: true, lastSeq: 8, holes: [] },
        { lane: two, floor: 0, lastSeq: 4, holes: [] },
      ],
      others: [`the floor of a lane of document ${notes.id}`],
    });
    // Where none is, none is made.
    await store.append({ mend: [{ document: notes.id, floors }] });
    expect(await store.readFloors(notes.id)).toEqual(new Map([[one, 3]]));
    await store.append({ mend: [{ document: notes.id, floors: new Map([[one!, 4]]) }] });
    expect(await store.readFloors(notes.id)).toEqual(new Map([[one, 3]]));
  });

  it("[DRF-3] what was damaged comes back byte for byte, in the order of its arrival", async () => {
    const before = await log();
    const damaged = [3, 4, 7].map((seq) => envelopeKey(notes.id, 1, seq));
    const records = await Promise.all(damaged.map((key) => level.current!.get(key)));
    for (const key of damaged) await flip(key);
    await lose(damaged[1]!);
    await expect(log()).rejects.toMatchObject({ code: "HEDDLE_STORAGE_CORRUPT" });
    const arrival = await store.readLastArrival();
    // More than is missing, and not in its order: whoever sent it need not know what is.
    const envelopes = sealed.filter(({ seq }) => seq >= 2).toReversed();
    await store.append({ mend: [{ document: notes.id, envelopes, checkpoints: [1] }] });
    expect(await store.readLastArrival()).toBe(arrival);
    expect(await log()).toEqual(before);
    for (const [index, key] of damaged.entries()) {
      expect(await level.current!.get(key)).toEqual(records[index]);
    }
    expect(await store.readCheckpoints(notes.id)).toEqual([]);
    await store.close();
    const { findings } = await runVerification({ folder: place.folder, way: "copy" });
    expect(findings.filter(({ severity }) => severity === "damage")).toEqual([]);
    store = await open();
  });

  it("[DRF-3] stands behind its predecessor where the feed has forgotten the group", async () => {
    const before = await log();
    const numbers = (await collectChunks(store.readArrivals(0))).map(({ number }) => number);
    for (const seq of [3, 4]) await flip(envelopeKey(notes.id, 1, seq));
    for (const number of numbers) {
      await lose(Uint8Array.of(0x41, 0, 0, 0, 0, 0, 0, 0, number));
    }
    await store.append({ mend: [{ document: notes.id, envelopes: sealed }] });
    const after = await log();
    expect(after.toSorted()).toEqual(before.toSorted());
    for (const lane of new Set(sealed.map((envelope) => envelope.lane))) {
      const ofLane = (all: string[]) => all.filter((one) => one.startsWith(lane));
      expect(ofLane(after)).toEqual(ofLane(before));
    }
  });

  it("[DRF-4] an entry of the journal that is damaged hides none of the others, and is told", async () => {
    await store.append({ audit: [entry(1), entry(2), entry(3)] });
    await flip(auditKey(2));
    const told: string[] = [];
    store.onDamage(({ what }) => told.push(what));
    expect(await collectChunks(store.readAudit())).toEqual([
      { number: 1, bytes: entry(1) },
      { number: 2, bytes: undefined },
      { number: 3, bytes: entry(3) },
    ]);
    expect(told).toHaveLength(1);
  });

  it("[DRF-4] the journal keeps its bound, its order and its numbers over an opening", async () => {
    const entries = Array.from({ length: limits.auditEntriesMax }, (_, index) => entry(index + 1));
    await store.append({ audit: entries });
    await store.close();
    store = await open();
    await store.append({ audit: [entry(4_097), entry(4_098)] });
    const read = await collectChunks(store.readAudit());
    expect(read).toHaveLength(limits.auditEntriesMax);
    expect(read[0]).toEqual({ number: 3, bytes: entry(3) });
    expect(read.at(-1)).toEqual({ number: 4_098, bytes: entry(4_098) });
    expect(await collectChunks(store.readAudit(4_097))).toEqual([read.at(-1)]);
    await lose(auditKey(50));
    await store.close();
    const { findings } = await runVerification({ folder: place.folder, way: "copy" });
    expect(findings.map(({ what }) => what)).toEqual(["audit entry records 50 to 50 are missing"]);
    store = await open();
  });
});

function entry(number: number): Uint8Array {
  return new Uint8Array(20).fill(number % 251);
}
