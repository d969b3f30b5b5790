import { HeddleErrorCode } from "@heddle/core";
import {
  collectLog,
  collectLogByArrival,
  testDocument,
  testEnvironment,
  testHash,
  TestWriter,
} from "@heddle/testkit";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";

import {
  placeEnvelope,
  readEnvelope,
  reserveEnvelope,
  type ArrivalPlace,
} from "./envelope-record.ts";
import { openLevelDatabase } from "./level-database.ts";
import { openLevelStore } from "./open-level-store.ts";
import { envelopeKeys } from "./key-ranges.ts";
import { logFolderName } from "./store-layout.ts";
import { temporaryFolder, type TemporaryFolder } from "./temporary-folder.fixture.ts";
import { verifyFolder } from "./verify-folder.ts";

// Goal: a place that was not given is found, although its record is whole in itself.
// Method: records are written anew, with good checksums, behind the store's back.

const environment = testEnvironment("arrival places");
const notes = testDocument(environment, "notes");
let place: TemporaryFolder;

beforeEach(async () => {
  place = await temporaryFolder();
  const store = await openLevelStore(place.folder, { environment });
  const writers = [await TestWriter.open(environment), await TestWriter.open(environment)];
  await store.append({ documents: [notes], lanes: writers.map(({ lane }) => lane) });
  for (let index = 0; index < 6; index++) {
    await store.append({ envelopes: [writers[index % 2]!.seal(notes.id)] });
  }
  await store.close();
});
afterEach(() => place.remove());

/** Gives the `index`-th envelope, by lane and seq, another place. */
async function move(index: number, to: ArrivalPlace): Promise<void> {
  const database = await openLevelDatabase(join(place.folder, logFolderName), {
    createIfMissing: false,
  });
  for await (const chunk of database.entries(envelopeKeys)) {
    const [key, record] = chunk[index]!;
    const moved = reserveEnvelope(key, readEnvelope(key, record).bytes);
    placeEnvelope(moved, to.group, to.index);
    await database.write([moved]);
  }
  await database.close();
}

async function damages(): Promise<readonly (string | undefined)[]> {
  const { findings } = await verifyFolder(place.folder, { hash: testHash });
  return findings.filter(({ severity }) => severity === "damage").map(({ what }) => what);
}

it("[STO-15] envelopes say their commit groups, one after the other", async () => {
  const database = await openLevelDatabase(join(place.folder, logFolderName), {
    createIfMissing: false,
  });
  const places: ArrivalPlace[] = [];
  for await (const chunk of database.entries(envelopeKeys)) {
    places.push(...chunk.map(([key, record]) => readEnvelope(key, record).place));
  }
  await database.close();
  // Group 1 opened the lanes; a lane has every second one.
  expect(places).toEqual([2, 4, 6, 3, 5, 7].map((group) => ({ group, index: 0 })));
  expect(await damages()).toEqual([]);
});

it.each([
  ["before the one that it follows", 1, { group: 2, index: 0 }],
  ["in a group that was never written", 2, { group: 8, index: 0 }],
  ["before all groups, behind one that has a place", 1, { group: 0, index: 0 }],
])("[STO-10][STO-15] verify finds an envelope %s", async (_where, index, to) => {
  await move(index, to);
  expect(await damages()).toEqual([
    expect.stringMatching(/^envelope \d of lane .* not in the order of its arrival$/),
  ]);
});

it("[STO-3][STO-15] a reading in the order of arrival refuses a lane that runs backwards", async () => {
  await move(1, { group: 1, index: 0 });
  const store = await openLevelStore(place.folder, { environment });
  const { storageCorrupt } = HeddleErrorCode;
  const reading = collectLogByArrival(store, notes.id);
  await expect(reading).rejects.toMatchObject({ code: storageCorrupt });
  expect(await collectLog(store, notes.id)).toHaveLength(6);
  await store.close();
});
