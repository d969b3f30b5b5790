import { cp } from "node:fs/promises";

import { decodeEnvelope, type LaneId, type LanePosition } from "@heddle/core";
import { openLevelStore, type Entry, type Operation } from "@heddle/storage-level";
import { testDocument, testEnvironment, TestWriter } from "@heddle/testkit";
import { expect, test } from "vitest";

import { corrupt, StoreFolder, surveyStore } from "./store-survey.ts";

// Goal: a commit group that was lost or swapped is found, at open where the store was not closed, and
// else when it is read.
// Method: take whole, undamaged records away or give them a neighbour's content, and open.

const groups = 8;

/** A store of eight groups of one envelope each, as it is after a crash: its mark is at the start. */
async function crashedStore(place: StoreFolder, seed: string): Promise<Entry[]> {
  const environment = testEnvironment(seed);
  const store = await openLevelStore(place.folder, { environment });
  const notes = testDocument(environment, "notes");
  const writer = await TestWriter.open(environment);
  const open = { lanes: [writer.lane], documents: [notes] };
  for (let group = 1; group <= groups; group++) {
    const envelopes = [writer.seal(notes.id)];
    await store.append(group === 1 ? { ...open, envelopes } : { envelopes });
  }
  await store.close();
  const mark = keyOf("mk");
  await place.raw((database) => database.write([{ type: "del", key: mark }]));
  return place.entries();
}

const damages: Readonly<Record<string, (entries: readonly Entry[]) => Operation[]>> = {
  "the first arrival is missing": (entries) => [drop(nth(entries, "A", 0))],
  "an arrival is missing": (entries) => [drop(nth(entries, "A", 3))],
  "the last arrival is missing": (entries) => [drop(nth(entries, "A", groups - 1))],
  "all arrivals are missing": (entries) => entries.filter(isKind("A")).map(drop),
  "the head is missing": (entries) => [drop(nth(entries, "mh", 0))],
  "the store id is missing": (entries) => [drop(nth(entries, "ms", 0))],
  "the envelope of a group is missing": (entries) => [drop(nth(entries, "E", 4))],
  "the last envelope is missing": (entries) => [drop(nth(entries, "E", groups - 1))],
  "two arrivals changed places": (entries) => [
    { type: "put", key: nth(entries, "A", 2)[0], value: nth(entries, "A", 3)[1] },
    { type: "put", key: nth(entries, "A", 3)[0], value: nth(entries, "A", 2)[1] },
  ],
};

test.each(Object.keys(damages))("[STO-7] opening a crashed store finds that %s", async (damage) => {
  await using place = await StoreFolder.make();
  const entries = await crashedStore(place, damage);
  await place.raw((database) => database.write(damages[damage]!(entries)));
  const opening = openLevelStore(place.folder, { environment: testEnvironment() });
  await expect(opening).rejects.toMatchObject({ code: corrupt });
});

test("[STO-7] an undamaged crashed store opens, and says how much it verified", async () => {
  await using place = await StoreFolder.make();
  await crashedStore(place, "undamaged");
  const store = await openLevelStore(place.folder, { environment: testEnvironment() });
  expect(store.opening).toMatchObject({ lastArrival: groups, arrivalsVerified: groups });
  await store.close();
  const again = await openLevelStore(place.folder, { environment: testEnvironment() });
  expect(again.opening).toMatchObject({ lastArrival: groups, arrivalsVerified: 0 });
  await again.close();
});

test("[STO-7] a group from a history that went another way does not fit", async () => {
  await using place = await StoreFolder.make();
  await using other = await StoreFolder.make();
  const entries = await crashedStore(place, "one way");
  const elsewhere = await crashedStore(other, "another way");
  const [key] = nth(entries, "A", 5);
  const value = nth(elsewhere, "A", 5)[1];
  await place.raw((database) => database.write([{ type: "put", key, value }]));
  const opening = openLevelStore(place.folder, { environment: testEnvironment() });
  await expect(opening).rejects.toMatchObject({ code: corrupt });
});

test("[STO-7] below the mark, what is missing is found when it is read", async () => {
  await using place = await StoreFolder.make();
  const entries = await crashedStore(place, "below the mark");
  const environment = testEnvironment("reader");
  const store = await openLevelStore(place.folder, { environment });
  await store.close();
  const lost = [drop(nth(entries, "A", 2)), drop(nth(entries, "E", 4))];
  await place.raw((database) => database.write(lost));
  const survey = await surveyStore(place.folder, environment, ["notes"]);
  expect(survey).toMatchObject({ open: '"open"', readArrivals: corrupt, "readLog notes": corrupt });
});

// Positions and the digest of a clean document vouch for each other and for the end of its log.
test.each([
  ["the document", "D", "readDocument notes", "readDocuments"],
  ["the digest of the vector", "V", "readDocument notes", "readLog notes"],
  ["a position of the vector", "V 1", "readDocument notes", "readLog notes"],
  ["the last envelope", "E last", "readLog notes"],
])("[STO-3] of a document at rest, the loss of %s is reported", async (_what, kind, ...parts) => {
  await using place = await StoreFolder.make();
  const entries = await crashedStore(place, kind);
  const environment = testEnvironment("reader");
  const { id } = testDocument(environment, "notes");
  const store = await openLevelStore(place.folder, { environment });
  const vector = new Map<LaneId, LanePosition>();
  for await (const chunk of store.readLog(id)) {
    for (const { lane, seq, bytes } of chunk) {
      vector.set(lane, { seq, head: decodeEnvelope(environment.hash, bytes).id });
    }
  }
  await store.append({ vectors: [{ document: id, vector }] });
  await store.close();
  const [prefix, which] = kind.split(" ");
  const index = which === "last" ? groups - 1 : Number(which ?? 0);
  const lost = drop(nth(which === "last" ? entries : await place.entries(), prefix!, index));
  await place.raw((database) => database.write([lost]));
  const survey = await surveyStore(place.folder, environment, ["notes"]);
  expect(survey).toMatchObject({
    open: '"open"',
    ...Object.fromEntries(parts.map((part) => [part, corrupt])),
  });
});

test("[STO-3] the loss of a dirty marker is reported", async () => {
  await using place = await StoreFolder.make();
  const entries = await crashedStore(place, "marker");
  await place.raw((database) => database.write([drop(nth(entries, "d", 0))]));
  const survey = await surveyStore(place.folder, testEnvironment("reader"), ["notes"]);
  const parts = { readDocuments: corrupt, "readDocument notes": corrupt, "readLog notes": corrupt };
  expect(survey).toMatchObject({ open: '"open"', ...parts });
});

test("[STO-7] a mark is kept every 1024 groups, so that a crash costs no more than that", async () => {
  await using place = await StoreFolder.make();
  await using crashed = await StoreFolder.make();
  const environment = testEnvironment("marks");
  const store = await openLevelStore(place.folder, { environment });
  const notes = testDocument(environment, "notes");
  for (let group = 1; group <= 1030; group++) await store.append({ documents: [notes] });
  await cp(place.folder, crashed.folder, { recursive: true });
  await store.close();
  const after = await openLevelStore(crashed.folder, { environment });
  expect(after.opening).toMatchObject({ lastArrival: 1030, arrivalsVerified: 6 });
  await after.close();
});

function isKind(kind: string): (entry: Entry) => boolean {
  const prefix = keyOf(kind);
  return ([key]) => prefix.every((byte, index) => key[index] === byte);
}

function nth(entries: readonly Entry[], kind: string, index: number): Entry {
  return entries.filter(isKind(kind))[index]!;
}

function drop([key]: Entry): Operation {
  return { type: "del", key };
}

function keyOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}
