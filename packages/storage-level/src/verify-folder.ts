import { realpath } from "node:fs/promises";

import { HeddleErrorCode, isHeddleError, type Hash } from "@heddle/core";

import type { DeviceFile } from "./device-file.ts";
import { runVerification, type VerificationReport } from "./run-verification.ts";
import type { SnapshotWay } from "./snapshot-log.ts";
import { storageError } from "./level-errors.ts";
import { lockFolder, type StoreLock } from "./store-lock.ts";

export interface VerifyFolderOptions {
  readonly hash: Hash;
  readonly deviceFile?: DeviceFile;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { stage: string; bytes: number; records: number }) => void;
}

export interface FolderReport extends VerificationReport {
  /** Somebody has the store open: what was verified is a copy of a moment. */
  readonly isInUse: boolean;
}

/**
 * Reads and proves all of the store in `directory` and writes nothing to it, whether somebody has it
 * open or not.
 *
 * @throws HeddleError `HEDDLE_STORAGE_IO` when the folder cannot be read at all.
 */
export async function verifyFolder(
  directory: string,
  { hash, ...options }: VerifyFolderOptions,
): Promise<FolderReport> {
  const folder = await realFolder(directory);
  const lock = await lockUnlessInUse(folder, hash);
  try {
    // A store that nobody writes to keeps its tables: pointing at them is enough.
    const way: SnapshotWay = lock ? "symlink" : "copy";
    return { ...(await runVerification({ ...options, folder, way })), isInUse: !lock };
  } finally {
    await lock?.release();
  }
}

async function realFolder(directory: string): Promise<string> {
  try {
    return await realpath(directory);
  } catch (cause) {
    throw storageError(cause, "the data folder could not be read");
  }
}

async function lockUnlessInUse(folder: string, hash: Hash): Promise<StoreLock | undefined> {
  try {
    return await lockFolder(folder, hash);
  } catch (error) {
    if (isHeddleError(error, HeddleErrorCode.storageLocked)) return undefined;
    throw error;
  }
}
