import { copyFile, link, mkdir, readFile, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { equalBytes, HeddleError, HeddleErrorCode } from "@heddle/core";

import { isLogMissing, readLevelFolder, tableName, type LevelFolder } from "./level-folder.ts";
import { isMissing } from "./files.ts";
import { replaceFile, syncFolder } from "./replace-file.ts";

/**
 * How a snapshot holds the tables, which LevelDB never changes once they are written:
 *
 * - `link`: costs nothing, lasts as long as it is kept, and needs the same file system.
 * - `symlink`: for a store that nobody has open; nothing is written to its file system.
 * - `copy`: everywhere, and takes the room.
 */
export type SnapshotWay = "link" | "symlink" | "copy";

const attemptsMax = 20;

/**
 * Makes `target` a LevelDB that holds what the one in `folder` held at some moment of the call, all
 * that was synced before it included, also while it is written to, by this process or another.
 *
 * Tables first; LevelDB's logs, which only grow, from the newest to the oldest, as an older one is
 * complete once a newer one exists. Whatever vanished meanwhile was rewritten: then the same again.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when what is there is no whole LevelDB.
 */
export async function snapshotLog(folder: string, target: string, way: SnapshotWay): Promise<void> {
  await mkdir(target, { recursive: true, mode: 0o700 });
  const tables = new Map<number, string>();
  let before: LevelFolder | undefined;
  for (let attempt = 1; ; attempt++) {
    const found = await readLevelFolder(folder);
    try {
      assertLogThere(found, before);
      await takeTables(folder, target, found, { way, tables });
      await takeLogs(folder, target, found);
      await finish(target, found, way);
      return;
    } catch (error) {
      if (!isMissing(error)) throw error;
      before = found;
      if (attempt >= attemptsMax) {
        const message = `a file of the log is missing, or it changes too fast: ${String(error)}`;
        throw new HeddleError(HeddleErrorCode.storageCorrupt, message, { cause: error });
      }
    }
  }
}

/**
 * Between a look at the manifest and one at the folder, LevelDB may have made a table of its log and
 * removed it: with this manifest and without that log, what was in it would be lost. Missing twice under
 * the same manifest it is gone for good, and that is for whoever reads the snapshot to find.
 */
function assertLogThere(found: LevelFolder, before: LevelFolder | undefined): void {
  if (!isLogMissing(found)) return;
  if (before && equalBytes(before.manifestBytes, found.manifestBytes)) return;
  throw new VanishedError(`log ${found.manifest.logNumber} vanished`);
}

/** As from the system, for a file that was there a moment ago. */
class VanishedError extends Error {
  readonly code = "ENOENT";
}

async function takeTables(
  folder: string,
  target: string,
  { manifest }: LevelFolder,
  { way, tables }: { readonly way: SnapshotWay; readonly tables: Map<number, string> },
): Promise<void> {
  for (const number of manifest.tables.keys()) {
    if (tables.has(number)) continue;
    const name = tableName(number);
    if (way === "copy") await copyFile(join(folder, name), join(target, name));
    else await (way === "link" ? link : symlink)(join(folder, name), join(target, name));
    tables.set(number, name);
  }
  // A number that the manifest does not know yet will be given again, and written over.
  for (const [number, name] of tables) {
    if (manifest.tables.has(number)) continue;
    await unlink(join(target, name));
    tables.delete(number);
  }
}

async function takeLogs(folder: string, target: string, { logs }: LevelFolder): Promise<void> {
  await rm(join(target, "logs"), { force: true, recursive: true });
  for (const name of logs.toReversed()) {
    await writeFile(join(target, name), await readFile(join(folder, name)), { mode: 0o600 });
  }
}

async function finish(target: string, found: LevelFolder, way: SnapshotWay): Promise<void> {
  const { manifestName, manifestBytes } = found;
  await writeFile(join(target, manifestName), manifestBytes, { mode: 0o600 });
  await replaceFile(join(target, "CURRENT"), `${manifestName}\n`);
  if (way === "copy") await syncFolder(target);
}
