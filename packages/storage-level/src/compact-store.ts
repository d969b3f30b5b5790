import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";

import { HeddleError, HeddleErrorCode, type Hash } from "@heddle/core";

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
    const bytesBefore = await bytesIn(log);
    await compactLevel(log);
    return { bytesBefore, bytesAfter: await bytesIn(log) };
  } finally {
    await lock.release();
  }
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size;
  return bytes;
}
