import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

import { isMissing } from "./files.ts";
import { storageError } from "./level-errors.ts";
import { readManifest, type LevelManifest } from "./level-manifest.ts";

/** Which files make up a LevelDB, found without opening it. */
export interface LevelFolder {
  readonly manifestName: string;
  readonly manifestBytes: Uint8Array;
  readonly manifest: LevelManifest;
  /** Logs that LevelDB reads at open, ascending. */
  readonly logs: readonly string[];
}

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when `CURRENT` or the manifest is missing or damaged. */
export async function readLevelFolder(folder: string): Promise<LevelFolder> {
  const current = await readIn(folder, "CURRENT");
  const [, manifestName = ""] = /^(MANIFEST-\d+)\n$/.exec(Buffer.from(current).toString()) ?? [];
  if (manifestName === "") throw corrupt("CURRENT of the log names no manifest");
  return readLevelFolderBy(folder, manifestName);
}

/** As {@link readLevelFolder}, for who knows the manifest without `CURRENT`. */
export async function readLevelFolderBy(
  folder: string,
  manifestName: string,
): Promise<LevelFolder> {
  const manifestBytes = await readIn(folder, manifestName);
  const manifest = manifestOf(manifestName, manifestBytes);
  const logs = (await namesIn(folder)).filter((name) => {
    const number = /^\d+\.log$/.test(name) ? Number.parseInt(name, 10) : -1;
    return number >= manifest.logNumber || (number > 0 && number === manifest.prevLogNumber);
  });
  logs.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  return { manifestName, manifestBytes, manifest, logs };
}

/**
 * Whether the log that the manifest names is gone. LevelDB writes to a log before its manifest names it
 * and removes it when the next one is named: so the end of the manifest is lost, and with it the names of
 * tables that LevelDB would then delete; or the log itself is.
 */
export function isLogMissing({ manifest: { logNumber }, logs }: LevelFolder): boolean {
  return logNumber !== 0 && !logs.some((name) => logNumberOf(name) === logNumber);
}

/** LevelDB pads numbers to six digits and lets longer ones be. */
export function tableName(number: number): string {
  return `${String(number).padStart(6, "0")}.ldb`;
}

export function logNumberOf(name: string): number {
  return Number.parseInt(name, 10);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    throw storageError(cause, "the folder of the log could not be read");
  }
}

async function readIn(folder: string, name: string): Promise<Uint8Array> {
  try {
    return await readFile(join(folder, name));
  } catch (cause) {
    if (isMissing(cause)) throw corrupt(`${name} of the log is missing`, cause);
    throw storageError(cause, `${name} of the log could not be read`);
  }
}

function manifestOf(name: string, bytes: Uint8Array): LevelManifest {
  try {
    return readManifest(bytes);
  } catch (cause) {
    throw corrupt(`${name} is damaged: ${cause instanceof Error ? cause.message : ""}`, cause);
  }
}

function corrupt(what: string, cause?: unknown): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, what, { cause });
}
