import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, open, readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";

import {
  HeddleError,
  HeddleErrorCode,
  parseStoreId,
  type Environment,
  type StoreId,
} from "@heddle/core";

import { isMissing } from "./files.ts";
import type { Finding, VerifiedTotals } from "./finding.ts";
import { storageError } from "./level-errors.ts";
import { replaceFile, syncFolder } from "./replace-file.ts";
import { chainBytes } from "./records.ts";
import { runVerification } from "./run-verification.ts";
import { snapshotLog } from "./snapshot-log.ts";
import { newFolder } from "./new-folder.ts";
import { backupListName, logFolderName } from "./store-layout.ts";
import { markerName, readMarker } from "./store-marker.ts";
import { readWitness, writeWitness } from "./witness.ts";

const backupFormat = 1;

export interface Backup {
  readonly storeId: StoreId;
  readonly takenAtMs: number;
  readonly lastGroup: number;
  readonly files: readonly BackupFile[];
}

export interface BackupFile {
  /** Path within the folder, with `/`. */
  readonly name: string;
  readonly bytes: number;
  /** SHA-256 in hex. */
  readonly sha256: string;
}

export interface BackupOptions {
  readonly environment: Pick<Environment, "clock" | "hash">;
  /** Files of the data folder that are not the store's and belong to it, where they exist. */
  readonly alsoFiles?: readonly string[];
}

export interface BackupReport {
  readonly backup: Backup;
  readonly totals: VerifiedTotals;
  /** What is wrong with the copy, and so was with the store. */
  readonly findings: readonly Finding[];
}

/**
 * Copies the store in `directory` to the new folder `target`, whether somebody has it open or not. All
 * that was acknowledged before the call is in it. The copy is read and proved before it counts.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` when `target` holds something, `HEDDLE_STORAGE_CORRUPT`
 * when there is no whole store to copy, `HEDDLE_STORAGE_FULL` or `_IO` when the disk refuses.
 */
export async function backupStore(
  directory: string,
  target: string,
  { environment, alsoFiles = [] }: BackupOptions,
): Promise<BackupReport> {
  const folder = resolve(directory);
  const made = await newFolder(target, environment.hash);
  const { partial } = made;
  const takenAtMs = environment.clock.nowMs();
  try {
    const marker = await readMarker(folder);
    if (marker?.state !== "ready") throw corrupt(`${folder} holds no store that was ever ready`);
    await copyFile(join(folder, markerName), join(partial, markerName));
    // Stays with the store that it is of; it knows how far the copy has to reach.
    const witness = await readWitness(folder);
    await snapshotLog(join(folder, logFolderName), join(partial, logFolderName), "copy");
    for (const name of alsoFiles) await copyIfThere(join(folder, name), join(partial, name));
    const { findings, totals } = await runVerification({
      folder: partial,
      way: "symlink",
      witness,
    });
    const files = await listFiles(partial);
    const { lastGroup } = totals;
    const backup: Backup = { storeId: marker.storeId, takenAtMs, lastGroup, files };
    await syncFiles(partial, files);
    await replaceFile(join(partial, backupListName), encodeBackup(backup));
    await made.finish();
    return { backup, totals, findings };
  } catch (cause) {
    await made.discard();
    throw storageError(cause, "the backup could not be made");
  }
}

/**
 * Makes the data folder `target` of what `backupFolder` holds, after every file of it was compared with
 * the list. The store in it opens as rolled back (STO-9).
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when a file of the backup differs or is missing,
 * `HEDDLE_CONFIG_INVALID` when it is no backup or `target` holds something.
 */
export async function restoreStore(
  backupFolder: string,
  target: string,
  { random, clock, hash }: Pick<Environment, "random" | "clock" | "hash">,
): Promise<Backup> {
  const source = resolve(backupFolder);
  const backup = await readBackup(source);
  const made = await newFolder(target, hash);
  const { partial } = made;
  try {
    for (const file of backup.files) {
      const path = join(partial, file.name);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await copyFile(join(source, file.name), path);
      const found = await describeFile(partial, file.name);
      if (found.sha256 !== file.sha256) throw corrupt(`${file.name} of the backup is damaged`);
    }
    await syncFiles(partial, backup.files);
    await writeWitness(partial, {
      storeId: backup.storeId,
      incarnation: random.bytes(16),
      number: 0,
      chain: new Uint8Array(chainBytes),
      writtenAtMs: clock.nowMs(),
      restored: true,
    });
    await made.finish();
    return backup;
  } catch (cause) {
    await made.discard();
    throw storageError(cause, "the backup could not be restored");
  }
}

/** @throws HeddleError `HEDDLE_CONFIG_INVALID` or `HEDDLE_STORAGE_VERSION`. */
export async function readBackup(folder: string): Promise<Backup> {
  let value: Record<string, unknown>;
  try {
    value = Object(JSON.parse(await readFile(join(folder, backupListName), "utf8")));
  } catch (cause) {
    throw noBackup(folder, cause);
  }
  const { format, storeId: id, takenAt, group, files } = value;
  if (typeof format === "number" && format > backupFormat) {
    const message = `the backup needs a heddle that reads backup format ${format}`;
    throw new HeddleError(HeddleErrorCode.storageVersion, message);
  }
  const storeId = parseStoreId(String(id));
  const takenAtMs = Date.parse(String(takenAt));
  if (!storeId || Number.isNaN(takenAtMs) || !Array.isArray(files) || !files.every(isBackupFile)) {
    throw noBackup(folder);
  }
  return { storeId, takenAtMs, lastGroup: Number(group), files };
}

function isBackupFile(value: unknown): value is BackupFile {
  const { name, bytes, sha256 } = Object(value) as Record<string, unknown>;
  // A list that somebody wrote may not lead out of the folder.
  const isInside = typeof name === "string" && /^(?:[\w-][\w.-]*\/)?[\w-][\w.-]*$/.test(name);
  return isInside && typeof bytes === "number" && typeof sha256 === "string";
}

function encodeBackup({ storeId, takenAtMs, lastGroup, files }: Backup): string {
  const takenAt = new Date(takenAtMs).toISOString();
  const value = { format: backupFormat, storeId, takenAt, group: lastGroup, files };
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

async function copyIfThere(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function listFiles(folder: string): Promise<BackupFile[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  const files: BackupFile[] = [];
  for (const name of names.toSorted()) {
    files.push(await describeFile(folder, name.replaceAll("\\", "/")));
  }
  return files;
}

async function describeFile(folder: string, name: string): Promise<BackupFile> {
  const path = join(folder, name);
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return { name, bytes: (await stat(path)).size, sha256: hash.digest("hex") };
}

async function syncFiles(folder: string, files: readonly BackupFile[]): Promise<void> {
  for (const { name } of files) {
    const file = await open(join(folder, name), "r");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }
  await syncFolder(join(folder, logFolderName));
}

function noBackup(folder: string, cause?: unknown): HeddleError {
  const message = `${folder} is no backup of heddle: there is no ${backupListName} that can be read`;
  return new HeddleError(HeddleErrorCode.configInvalid, message, { cause });
}

function corrupt(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, what);
}
