import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

import { isMissing } from "./files.ts";
import { storageError } from "./level-errors.ts";
import { logNumberOf, tableName, type LevelFolder } from "./level-folder.ts";
import { readLevelLog } from "./level-log-format.ts";
import { checkTable } from "./level-table-format.ts";
import { writesOfBatch, writesOfTable, type LevelWrite } from "./level-writes.ts";

/**
 * Looks into the tables and logs that the manifest does not name, and that LevelDB deletes or writes
 * over when it opens the folder. A crash leaves such files: tables that a compaction or a flush was
 * writing, and what it had read. Whatever is in them is also in files that are named; a write above
 * `lastSequence` is not, and then it is the manifest that is of an earlier time.
 *
 * @returns names of those that cannot be read to their end, as nobody can tell for them.
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` for files with later writes; nothing is changed.
 */
export async function checkUnnamedFiles(
  folder: string,
  found: LevelFolder,
  lastSequence: bigint,
): Promise<string[]> {
  const unreadable: string[] = [];
  for (const name of await unnamedIn(folder, found)) {
    const { last, isWhole } = await lastWriteIn(folder, name);
    if (last > lastSequence) {
      throw corrupt(
        `${name} of the log holds writes up to ${last}, and ${found.manifestName}, which does not name ` +
          `it, ends at ${lastSequence}: it is of an earlier time than the files beside it`,
      );
    }
    if (!isWhole) unreadable.push(name);
  }
  return unreadable;
}

async function unnamedIn(folder: string, { manifest, logs }: LevelFolder): Promise<string[]> {
  const named = new Set([...[...manifest.tables.keys()].map(tableName), ...logs]);
  const all = (await readdir(folder)).filter((name) => /^\d+\.(?:ldb|sst|log)$/.test(name));
  return all.filter((name) => !named.has(name)).toSorted((a, b) => logNumberOf(a) - logNumberOf(b));
}

async function lastWriteIn(
  folder: string,
  name: string,
): Promise<{ readonly last: bigint; readonly isWhole: boolean }> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(join(folder, name));
  } catch (cause) {
    if (isMissing(cause)) return { last: 0n, isWhole: true };
    throw storageError(cause, `${name} of the log could not be read`);
  }
  const isLog = name.endsWith(".log");
  let last = 0n;
  let isWhole = isLog
    ? readLevelLog(bytes).faults.every(({ isAtEnd, isCut }) => isAtEnd && isCut)
    : checkTable(bytes).length === 0;
  try {
    for (const { sequence } of writesIn(bytes, isLog)) if (sequence > last) last = sequence;
  } catch {
    isWhole = false; // As far as it could be read it counts, and the file is kept.
  }
  return { last, isWhole };
}

function* writesIn(bytes: Uint8Array, isLog: boolean): Iterable<LevelWrite> {
  if (!isLog) return yield* writesOfTable(bytes);
  for (const batch of readLevelLog(bytes).records) yield* writesOfBatch(batch);
}

function corrupt(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, what);
}
