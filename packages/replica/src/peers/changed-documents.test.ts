import { MemoryDisk, MemoryLogStore, type DocumentEntry, type LaneId } from "@heddle/core";
import { testCheckpoint, testDocument, testEnvironment, TestWriter } from "@heddle/testkit";
import { beforeEach, expect, test } from "vitest";

import { changedDocuments, type ChangedDocuments } from "./changed-documents.ts";

// Goal: a peer that was here before is told of what changed since, and never of less.
// Method: the question is asked after every stretch of a history, with a feed that is whole and one that
// has lost its beginning.

const environment = testEnvironment("changed documents");
const entries = Array.from({ length: 600 }, (_, index) => {
  return testDocument(environment, `document ${index}`);
});
let store: MemoryLogStore;
let writer: TestWriter;

beforeEach(async () => {
  store = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  writer = await TestWriter.open(environment);
  await store.append({ lanes: [writer.lane], documents: entries });
});

const write = (entry: DocumentEntry) => store.append({ envelopes: [writer.seal(entry.id)] });

async function namesIn({ documents }: ChangedDocuments): Promise<string[]> {
  const names: string[] = [];
  for await (const chunk of documents) {
    expect(chunk.length).toBeLessThanOrEqual(256);
    names.push(...chunk.map(({ name }) => name));
  }
  expect(new Set(names).size).toBe(names.length);
  return names;
}

test("[STO-18] what arrived since is named once, with the number to ask from next", async () => {
  await write(entries[1]!);
  const before = await write(entries[2]!);
  for (const index of [5, 3, 5, 2]) await write(entries[index]!);
  const last = await store.append({ documents: [testDocument(environment, "empty")] });
  const changed = await changedDocuments(store, before);
  expect(changed).toMatchObject({ arrival: last, isAll: false });
  expect(await namesIn(changed)).toEqual(["document 5", "document 3", "document 2"]);
  const nothing = await changedDocuments(store, last);
  expect(nothing).toMatchObject({ arrival: last, isAll: false });
  expect(await namesIn(nothing)).toEqual([]);
});

test("[STO-18] every document counts as changed for whoever has seen nothing", async () => {
  const last = await write(entries[1]!);
  const changed = await changedDocuments(store, 0);
  expect(changed).toMatchObject({ arrival: last, isAll: true });
  expect(await namesIn(changed)).toHaveLength(600);
});

test("[STO-18] every document counts as changed when the feed does not reach back", async () => {
  const early = await write(entries[1]!);
  await write(entries[1]!);
  const vector = writer.vector(entries[1]!.id);
  const seen = await write(entries[2]!);
  await store.append({ checkpoints: [testCheckpoint(entries[1]!, 1, vector, 10)] });
  const floors = new Map<LaneId, number>([[writer.lane.id, 2]]);
  await store.append({ prune: [{ document: entries[1]!.id, floors }] });
  expect(await changedDocuments(store, early)).toMatchObject({ isAll: true });
  // The first group that is left is the next one: nothing is unknown.
  const atFloor = await changedDocuments(store, seen - 1);
  expect(atFloor).toMatchObject({ isAll: false, arrival: seen });
  expect(await namesIn(atFloor)).toEqual(["document 2"]);
});

test("[STO-18] too many to remember are told as all", async () => {
  const before = await write(entries[0]!);
  for (const entry of entries.slice(0, 11)) await write(entry);
  expect(await changedDocuments(store, before, 11)).toMatchObject({ isAll: false });
  expect(await changedDocuments(store, before, 10)).toMatchObject({ isAll: true });
});

test("[STO-18] what arrives while the answer is read is after its number", async () => {
  const before = await write(entries[0]!);
  await write(entries[1]!);
  const changed = await changedDocuments(store, before);
  await write(entries[2]!);
  expect(await namesIn(changed)).toEqual(["document 1"]);
  expect(await namesIn(await changedDocuments(store, changed.arrival))).toEqual(["document 2"]);
});
