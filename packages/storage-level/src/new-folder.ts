import { randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

import { HeddleError, HeddleErrorCode, type Hash } from "@heddle/core";

import { storageError } from "./level-errors.ts";
import { isMissing } from "./files.ts";
import { syncFolder } from "./replace-file.ts";
import { lockFolder } from "./store-lock.ts";
import { makeFolder } from "./store-marker.ts";

/**
 * A folder that is filled beside its place and appears there whole or not at all. Its name while it is
 * being filled is its own, so that two who work on one target do not touch each other's files; what a
 * killed process left behind stays for a person to remove.
 */
export interface NewFolder {
  /** Where it is being filled. */
  readonly partial: string;
  /**
   * Puts it in its place, unless somebody put something there meanwhile.
   *
   * @throws HeddleError `HEDDLE_CONFIG_INVALID` when the place holds something, `HEDDLE_STORAGE_LOCKED`
   * when somebody is about to make a store there.
   */
  finish(): Promise<void>;
  /** Removes what was filled, and nothing else. Safe after {@link finish}. */
  discard(): Promise<void>;
}

/** @throws HeddleError `HEDDLE_CONFIG_INVALID` when `target` holds something. */
export async function newFolder(target: string, hash: Hash): Promise<NewFolder> {
  const path = resolve(target);
  if (await holdsFiles(path)) throw occupied(path);
  const parent = dirname(path);
  await makeFolder(parent);
  const partial = join(parent, `${basename(path)}.partial-${randomBytes(4).toString("hex")}`);
  try {
    await mkdir(partial, { mode: 0o700 });
  } catch (cause) {
    throw storageError(cause, `${partial} could not be made`);
  }
  return {
    partial,
    finish: () => putInPlace(partial, path, hash),
    discard: () => rm(partial, { recursive: true, force: true }),
  };
}

/** @throws HeddleError `HEDDLE_STORAGE_IO` when it cannot be read. A folder that is missing holds nothing. */
export async function holdsFiles(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).length > 0;
  } catch (cause) {
    if (isMissing(cause)) return false;
    throw storageError(cause, `${folder} could not be read`);
  }
}

/**
 * An empty folder is locked while it is replaced, so that no store is begun in it; and it is replaced by a
 * rename, which the system refuses for one that holds something.
 */
async function putInPlace(partial: string, path: string, hash: Hash): Promise<void> {
  await syncFolder(partial);
  await makeFolder(path);
  const lock = await lockFolder(path, hash);
  try {
    // Windows renames no folder onto another; there the lock has to do.
    if (process.platform === "win32") await rmdir(path);
    await rename(partial, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (["ENOTEMPTY", "EEXIST"].includes(code)) throw occupied(path, cause);
    throw storageError(cause, `${path} could not be put in its place`);
  } finally {
    await lock.release();
  }
}

function occupied(path: string, cause?: unknown): HeddleError {
  const message = `${path} is there already and is not empty`;
  return new HeddleError(HeddleErrorCode.configInvalid, message, { cause });
}
