import { collectLogByArrival, testDocument, testEnvironment, TestWriter } from "@heddle/testkit";
import { afterEach, beforeEach, expect, it, vi, type Mock } from "vitest";

import { openLevelDatabase, type LogDatabase } from "./level-database.ts";
import type { LevelLogStore } from "./level-log-store.ts";
import { openLevelStore } from "./open-level-store.ts";
import { Prefix } from "./record-keys.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";

// Goal: who opens a document pays for one look at its kept vector, and misses nothing for it.
// Method: real LevelDB, of which it is counted how often a kept vector is looked for.
const environment = testEnvironment("lane spans");
const notes = testDocument(environment, "notes");
let place: TemporaryFolder;
let store: LevelLogStore;
let writer: TestWriter;
let entries: Mock<LogDatabase["entries"]>;

beforeEach(async () => {
  place = await temporaryFolder();
  store = await openLevelStore(place.folder, {
    environment,
    openDatabase: async (...args) => {
      const database = await openLevelDatabase(...args);
      entries = vi.spyOn(database, "entries");
      return database;
    },
  });
  writer = await TestWriter.open(environment);
  await store.append({ documents: [notes], lanes: [writer.lane] });
  await write();
  await keep();
  entries.mockClear();
});
afterEach(async () => {
  await store.close();
  await place.remove();
});

it("looks for the kept vector of a document once where its log is read next", async () => {
  await store.readDocument(notes.id);
  expect(await seqs()).toEqual([1]);
  expect(looks()).toBe(1);
  expect(await seqs(), "a reading by itself looks again").toEqual([1]);
  expect(looks()).toBe(2);
});

it("reads what was written between the two looks, kept or not", async () => {
  await store.readDocument(notes.id);
  await write();
  expect(await seqs()).toEqual([1, 2]);
  await store.readDocument(notes.id);
  await write();
  await keep();
  expect(await seqs()).toEqual([1, 2, 3]);
});

it("reads what was written while the document was being looked at", async () => {
  const looking = store.readDocument(notes.id);
  await write();
  await looking;
  expect(await seqs()).toEqual([1, 2]);
});

async function write(): Promise<void> {
  await store.append({ envelopes: [writer.seal(notes.id)] });
}

async function keep(): Promise<void> {
  await store.append({ vectors: [{ document: notes.id, vector: writer.vector(notes.id) }] });
}

async function seqs(): Promise<number[]> {
  return (await collectLogByArrival(store, notes.id)).map(({ seq }) => seq);
}

function looks(): number {
  return entries.mock.calls.filter(([{ gte }]) => gte[0] === Prefix.vector).length;
}
