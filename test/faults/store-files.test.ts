import { cp, mkdir, readdir, readFile, rm, truncate, unlink, writeFile } from "node:fs/promises";
import path from "node:path";

import { HeddleErrorCode, toHex } from "@heddle/core";
import {
  logFolderName,
  markerName,
  openLevelDatabase,
  openLevelStore,
} from "@heddle/storage-level";
import { testEnvironment, testHash } from "@heddle/testkit";
import { expect, test } from "vitest";

import { corrupt, fillStore, StoreFolder, surveyStore } from "./store-survey.ts";

// Goal: a store that lost a part of its files is refused, and what is left of it is left alone.
// Method: take files away, open, compare the folder before and after; then put them back and read.

type Loss = (folder: string) => Promise<void>;

const losses: Readonly<Record<string, Loss>> = {
  "CURRENT is missing": (folder) => unlink(path.join(folder, logFolderName, "CURRENT")),
  "CURRENT is empty": (folder) => truncate(path.join(folder, logFolderName, "CURRENT")),
  "the manifest is missing": (folder) => unlinkMatching(folder, /^MANIFEST/),
  "the manifest is cut": (folder) => truncateMatching(folder, /^MANIFEST/),
  "a table is missing": (folder) => unlinkMatching(folder, /\.ldb$/),
  "a table is empty": (folder) => truncateMatching(folder, /\.ldb$/, 0),
  "a table is cut": (folder) => truncateMatching(folder, /\.ldb$/, 700),
  "the log folder is empty": (folder) => unlinkMatching(folder, /./),
  "the log folder is missing": (folder) => removeLog(folder),
  "the marker is missing": (folder) => unlink(path.join(folder, markerName)),
  "the marker is damaged": (folder) => writeFile(path.join(folder, markerName), "{"),
  "the marker and CURRENT are missing": async (folder) => {
    await unlink(path.join(folder, markerName));
    await unlink(path.join(folder, logFolderName, "CURRENT"));
  },
};

test.each(Object.keys(losses))("[STO-6] a store is refused when %s", async (loss) => {
  await using place = await StoreFolder.make();
  await using backup = await StoreFolder.make();
  const environment = testEnvironment("files");
  const names = await fillStore(place.folder, environment, { loose: true });
  const before = await surveyStore(place.folder, environment, names);
  await cp(place.folder, backup.folder, { recursive: true });
  await losses[loss]!(place.folder);
  const left = await dataFilesOf(place.folder);
  for (let attempt = 1; attempt <= 2; attempt++) {
    const opening = openLevelStore(place.folder, { environment });
    await expect(opening).rejects.toMatchObject({ code: corrupt });
  }
  expect(await dataFilesOf(place.folder)).toEqual(left);
  await rm(place.folder, { recursive: true });
  await cp(backup.folder, place.folder, { recursive: true });
  // The same in every part, and it knows that it was put here by somebody: what others told the one
  // that it was is not for it.
  const after = await surveyStore(place.folder, environment, names);
  const forgotten = { readCursors: "[]", readAcks: "[]" };
  expect(after).toEqual({ ...before, ...forgotten, open: '"copied"' });
});

test("[STO-6] a store is refused when its log is that of another store", async () => {
  await using place = await StoreFolder.make();
  await using other = await StoreFolder.make();
  await fillStore(place.folder, testEnvironment("one store"), { loose: true });
  await fillStore(other.folder, testEnvironment("another store"), { loose: true });
  await removeLog(place.folder);
  await cp(other.logFolder, place.logFolder, { recursive: true });
  const opening = openLevelStore(place.folder, { environment: testEnvironment() });
  await expect(opening).rejects.toMatchObject({ code: corrupt });
});

test("[STO-6] a store whose whole folder is gone is a new store, with another id", async () => {
  await using place = await StoreFolder.make();
  const environment = testEnvironment("folder gone");
  const first = await openLevelStore(place.folder, { environment });
  await first.close();
  await rm(place.folder, { recursive: true });
  const second = await openLevelStore(place.folder, { environment });
  expect(second.opening.created).toBe(true);
  expect(second.storeId).not.toBe(first.storeId);
  await second.close();
});

test("[STO-6] a crash while the store was being made leaves a folder that opens", async () => {
  const environment = testEnvironment("half made");
  await using whole = await StoreFolder.make();
  const store = await openLevelStore(whole.folder, { environment });
  await store.close();
  const json = await readFile(path.join(whole.folder, markerName), "utf8");
  const creating = uncheckedJson(json).replace('"ready"', '"creating"');
  const stages: Record<string, Loss> = {
    "before the log folder": async () => undefined,
    "in an empty log folder": async (folder) => {
      await mkdir(path.join(folder, logFolderName));
    },
    "after LevelDB was made": async (folder) => {
      const log = path.join(folder, logFolderName);
      await (await openLevelDatabase(log, { createIfMissing: true })).close();
    },
    "after the first records": (folder) => cp(whole.folder, folder, { recursive: true }),
  };
  for (const [stage, make] of Object.entries(stages)) {
    await using place = await StoreFolder.make();
    await make(place.folder);
    await writeFile(path.join(place.folder, markerName), creating);
    const opened = await openLevelStore(place.folder, { environment });
    expect(opened.opening, stage).toMatchObject({ created: true, lastArrival: 0 });
    expect(opened.storeId).toBe(store.storeId);
    await opened.close();
    const again = await openLevelStore(place.folder, { environment });
    expect(again.opening.created, stage).toBe(false);
    await again.close();
  }
});

test("[STO-6][STO-14] a store of a newer format is refused untouched", async () => {
  await using place = await StoreFolder.make();
  const environment = testEnvironment("newer");
  await fillStore(place.folder, environment, { loose: true });
  const file = path.join(place.folder, markerName);
  const marker = await readFile(file, "utf8");
  const newer = uncheckedJson(marker)
    .replace('"format":3', '"format":7')
    .replace("heddle 0.1", "heddle 9.9");
  await writeFile(file, newer);
  const before = await dataFilesOf(place.folder);
  const opening = openLevelStore(place.folder, { environment });
  const code = HeddleErrorCode.storageVersion;
  const message = expect.stringMatching(/format 7 \(heddle 9\.9 or later\)/);
  await expect(opening).rejects.toMatchObject({ code, message });
  expect(await dataFilesOf(place.folder)).toEqual(before);
});

/** Names and hashes of what holds data; LevelDB rewrites its own LOG and LOCK even when it refuses. */
async function dataFilesOf(folder: string): Promise<[string, string][]> {
  const log = path.join(folder, logFolderName);
  const files: [string, string][] = [];
  for (const name of (await namesIn(log)).filter((name) => !/^LO(G|CK)/.test(name)).toSorted()) {
    files.push([name, toHex(testHash.sha256(await readFile(path.join(log, name))))]);
  }
  return files;
}

/** A marker as it was written before it had a checksum. */
function uncheckedJson(marker: string): string {
  return JSON.stringify({ ...(JSON.parse(marker) as object), check: undefined });
}

function removeLog(folder: string): Promise<void> {
  return rm(path.join(folder, logFolderName), { recursive: true });
}

async function unlinkMatching(folder: string, pattern: RegExp): Promise<void> {
  for (const file of await matching(folder, pattern)) await unlink(file);
}

async function truncateMatching(folder: string, pattern: RegExp, bytes = 20): Promise<void> {
  for (const file of await matching(folder, pattern)) await truncate(file, bytes);
}

async function matching(folder: string, pattern: RegExp): Promise<string[]> {
  const log = path.join(folder, logFolderName);
  const names = (await namesIn(log)).filter((name) => pattern.test(name));
  expect(names).not.toEqual([]);
  return names.map((name) => path.join(log, name));
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return []; // The folder itself is what was taken away.
  }
}
