import { HeddleErrorCode, type LogStoreState } from "@heddle/core";
import {
  collect,
  collectLog,
  pictureOf,
  testDocument,
  testEnvironment,
  TestWriter,
} from "@heddle/testkit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { FaultyLevel } from "./faulty-database.fixture.ts";
import type { LevelLogStore } from "./level-log-store.ts";
import { openLevelStore } from "./open-level-store.ts";
import { arrivalKey, headKey } from "./record-keys.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";

const { storageIo, storageFull, storageCorrupt, storageClosed } = HeddleErrorCode;

// Goal: after a failed write nothing is acknowledged until the log was opened anew and verified.
// Method: real LevelDB behind writes and openings that fail on request, and time that stands still.
describe("error fence", () => {
  const environment = testEnvironment();
  const notes = testDocument(environment, "notes");
  let place: TemporaryFolder;
  let level: FaultyLevel;
  let store: LevelLogStore;
  let writer: TestWriter;
  let states: LogStoreState["name"][];

  beforeEach(async () => {
    place = await temporaryFolder();
    level = new FaultyLevel();
    store = await openLevelStore(place.folder, {
      environment,
      openDatabase: level.open,
      witnessDelayMs: 0,
    });
    writer = await TestWriter.open(environment);
    states = [];
    store.onStateChange(({ name }) => states.push(name));
    await store.append({ lanes: [writer.lane], documents: [notes] });
    await append();
  });
  afterEach(async () => {
    await store.close();
    await place.remove();
  });

  const append = () => store.append({ envelopes: [writer.seal(notes.id)] });
  const seqs = async () => (await collectLog(store, notes.id)).map(({ seq }) => seq);
  /** Moves time on and waits until the attempt to reopen that is due has ended. */
  const reopenAfter = async (delayMs: number, outcome: LogStoreState["name"]) => {
    const openings = level.openings;
    environment.clock.advance(delayMs);
    await vi.waitFor(() => {
      expect(level.openings).toBe(openings + 1);
      expect(store.state.name).toBe(outcome);
      if (outcome === "fenced") expect(environment.clock.timerCount).toBe(1);
    });
  };

  /** Moves time on; nothing is tried, however long one waits. */
  const waitInVain = async (delayMs: number) => {
    const openings = level.openings;
    environment.clock.advance(delayMs);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(level.openings).toBe(openings);
  };

  it("[STO-10] a note that could not be written leaves no gap in the journal", async () => {
    const note = (detail: string) => store.note({ event: "damage-found", atMs: 1, detail });
    await note("first");
    level.writeFaults.push("fails");
    const failed = [note("second"), note("third")];
    expect((await Promise.allSettled(failed)).map(({ status }) => status)).toEqual([
      "rejected",
      "rejected",
    ]);
    await reopenAfter(100, "open");
    await note("fourth");
    const journal = (await store.readJournal()).map(({ number, detail }) => [number, detail]);
    expect(journal).toEqual([
      [1, "first"],
      [2, "fourth"],
    ]);
  });

  it("[STO-4] fails what is in flight and what waits, then everything at once", async () => {
    level.writeFaults.push("fails");
    const first = append();
    await Promise.resolve();
    await Promise.resolve();
    const waiting = [append(), append()];
    const outcomes = await Promise.allSettled([first, ...waiting]);
    expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.code)).toEqual(
      [storageIo, storageIo, storageIo],
    );
    expect(store.state).toMatchObject({ name: "fenced", error: { code: storageIo } });
    await expect(append()).rejects.toMatchObject({ code: storageIo });
    await expect(seqs()).rejects.toMatchObject({ code: storageIo });
    await expect(store.readDocument(notes.id)).rejects.toMatchObject({ code: storageIo });
    expect(states).toEqual(["fenced"]);
    expect(level.openings).toBe(1);
  });

  it("[STO-4] [REC-12] goes on by itself where the failed group did not reach the disk", async () => {
    const mark = store.moves.mark();
    level.writeFaults.push("fails");
    await expect(append()).rejects.toMatchObject({ code: storageIo });
    await reopenAfter(100, "open");
    expect(await seqs()).toEqual([1]);
    // While it was closed its files were anybody's.
    expect(store.moves.since(mark)).toBeUndefined();
    const next = await TestWriter.open(environment);
    const batch = { lanes: [next.lane], envelopes: [next.seal(notes.id)] };
    expect(await store.append(batch)).toBe(3);
    expect(states).toEqual(["fenced", "open"]);
  });

  it("[STO-4] finds a failed group that did reach the disk, whole, and numbers after it", async () => {
    const later = await TestWriter.open(environment);
    level.writeFaults.push("lands but fails");
    const batch = { lanes: [later.lane], envelopes: [later.seal(notes.id), writer.seal(notes.id)] };
    await expect(store.append(batch)).rejects.toMatchObject({ code: storageIo });
    await reopenAfter(100, "open");
    expect(await seqs()).toEqual([1, 2, 1]);
    expect((await collect(store.readLanes())).map(({ id }) => id)).toEqual([
      writer.lane.id,
      later.lane.id,
    ]);
    expect(await append()).toBe(4);
    const before = await pictureOf(store);
    await store.close();
    store = await openLevelStore(place.folder, { environment });
    expect(await pictureOf(store)).toEqual(before);
  });

  it("[STO-4] forgets the alias of a lane whose batch was lost", async () => {
    const [lost, kept] = [await TestWriter.open(environment), await TestWriter.open(environment)];
    level.writeFaults.push("fails");
    const refused = store.append({ lanes: [lost.lane], envelopes: [lost.seal(notes.id)] });
    await expect(refused).rejects.toMatchObject({ code: storageIo });
    await reopenAfter(100, "open");
    await store.append({ lanes: [kept.lane], envelopes: [kept.seal(notes.id)] });
    const lanes = (await collect(store.readLanes())).map(({ id }) => id);
    expect(lanes).toEqual([writer.lane.id, kept.lane.id]);
    await expect(store.append({ envelopes: [lost.seal(notes.id)] })).rejects.toThrow(
      "a lane is known before its first envelope",
    );
  });

  it("[STO-4] says FULL for a full disk, whose name it takes from LevelDB's text", async () => {
    level.message = "IO error: /log/000005.log: No space left on device";
    level.writeFaults.push("fails");
    await expect(append()).rejects.toMatchObject({ code: storageFull });
    await expect(append()).rejects.toMatchObject({ code: storageFull });
    await reopenAfter(100, "open");
    expect(await append()).toBe(3);
  });

  it("[STO-4] waits twice as long after each failed opening, up to five seconds", async () => {
    level.writeFaults.push("fails");
    level.openFaults.push(...Array<string>(7).fill("IO error: No space left on device"));
    await expect(append()).rejects.toMatchObject({ code: storageIo });
    for (const delayMs of [100, 200, 400, 800, 1600, 3200, 5000]) {
      await waitInVain(delayMs - 1);
      await reopenAfter(1, "fenced");
    }
    await waitInVain(4999);
    await reopenAfter(1, "open");
    expect(await seqs()).toEqual([1]);
  });

  it("[STO-4] keeps the wait of a store that opens and fails at its first write", async () => {
    level.writeFaults.push("fails", "fails", "fails");
    for (const delayMs of [100, 200, 400]) {
      await expect(append()).rejects.toMatchObject({ code: storageIo });
      await waitInVain(delayMs - 1);
      await reopenAfter(1, "open");
    }
    const next = await TestWriter.open(environment);
    await store.append({ lanes: [next.lane] });
    level.writeFaults.push("fails");
    await expect(append()).rejects.toMatchObject({ code: storageIo });
    await reopenAfter(100, "open");
  });

  it("[STO-4] stays fenced where an acknowledged group is gone after reopening", async () => {
    const headBefore = await level.current!.get(headKey);
    await append();
    level.writeFaults.push("fails");
    // As if LevelDB had lost the end of its log: the group is gone, and the head with it.
    await level.current!.write([
      { type: "del", key: arrivalKey(3) },
      { type: "put", key: headKey, value: headBefore! },
    ]);
    await expect(append()).rejects.toMatchObject({ code: storageIo });
    environment.clock.advance(100);
    await vi.waitFor(() => {
      expect(store.state).toMatchObject({ name: "fenced", error: { code: storageCorrupt } });
    });
    await expect(append()).rejects.toMatchObject({ code: storageCorrupt });
  });

  it("closes while fenced, with or without an attempt under way, and gives the folder back", async () => {
    for (const advanceMs of [0, 100]) {
      level.writeFaults.push("fails");
      await expect(append()).rejects.toMatchObject({ code: storageIo });
      environment.clock.advance(advanceMs);
      await store.close();
      expect(environment.clock.timerCount).toBe(0);
      await expect(append()).rejects.toMatchObject({ code: storageClosed });
      store = await openLevelStore(place.folder, {
        environment,
        openDatabase: level.open,
        witnessDelayMs: 0,
      });
      writer = await TestWriter.open(environment);
      await store.append({ lanes: [writer.lane] });
    }
  });

  it("[STO-4] fails an append whose write fails while the store closes", async () => {
    level.writeFaults.push("fails");
    const last = expect(append()).rejects.toMatchObject({ code: storageIo });
    await store.close();
    await last;
    expect(states).toEqual(["closed"]);
    expect(environment.clock.timerCount).toBe(0);
  });

  it("[STO-4] ends a read that was under way with the code of the fence", async () => {
    const entries = collectSlowly(store.readLog(notes.id));
    await entries.next();
    level.writeFaults.push("fails");
    await expect(append()).rejects.toMatchObject({ code: storageIo });
    await expect(entries.next()).rejects.toMatchObject({ code: storageIo });
  });
});

function collectSlowly<Item>(source: AsyncIterable<Item>): AsyncIterator<Item> {
  return source[Symbol.asyncIterator]();
}
