import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";

import { HeddleError, HeddleErrorCode, type Hash } from "@heddle/core";

import { judgeFiles } from "./check-before-open.ts";
import { compactLevel } from "./level-database.ts";
import { logFolderName } from "./store-layout.ts";
import { lockFolder } from "./store-lock.ts";
import { readMarker } from "./store-marker.ts";

export interface CompactReport {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/**
 * Has LevelDB rewrite all its tables, so that what was replaced or deleted takes no room. Changes no
 * record. Takes as much room again while it works.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`; `..._LOCKED` while somebody has the store open.
 */
export async function compactStore(directory: string, hash: Hash): Promise<CompactReport> {
  const folder = resolve(directory);
  const lock = await lockFolder(folder, hash);
  try {
    const marker = await readMarker(folder);
    if (marker?.state !== "ready") {
      const message = `${folder} holds no store that was ever ready`;
      throw new HeddleError(HeddleErrorCode.storageCorrupt, message);
    }
    const log = join(folder, logFolderName);
    await assertUndamaged(log);
    const bytesBefore = await bytesIn(log);
    await compactLevel(log);
    return { bytesBefore, bytesAfter: await bytesIn(log) };
  } finally {
    await lock.release();
  }
}

/** What LevelDB rewrites has new checksums: of damage it would leave nothing to be found by. */
async function assertUndamaged(log: string): Promise<void> {
  const { damages, damaged, unreadable } = await judgeFiles(log);
  const [first] = [
    ...damages.map(({ what, file }) => `${file ?? ""}: ${what}`),
    ...damaged.map(({ name, why }) => `${name}: ${why}`),
    ...unreadable.map((name) => `${name}: it is not named, and cannot be read to its end`),
  ];
  if (first === undefined) return;
  throw new HeddleError(HeddleErrorCode.storageCorrupt, `the log is damaged: ${first}`);
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size;
  return bytes;
}
