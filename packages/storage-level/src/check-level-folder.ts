import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { isHeddleError } from "@heddle/core";

import type { Report } from "./finding.ts";
import { isLogMissing, isMissing, readLevelFolder, tableName } from "./level-folder.ts";
import { readLevelLog } from "./level-log-format.ts";
import { checkTable } from "./level-table-format.ts";

/** Waits as long as reading `bytes` may take. */
export type Pace = (bytes: number) => Promise<void>;

/**
 * Reads every file that LevelDB would read, and checks it by LevelDB's own checksums, without LevelDB:
 * a damaged table can end the process of whoever opens it, and a damaged log is cut short in silence.
 */
export async function checkLevelFolder(
  folder: string,
  report: Report,
  pace: Pace,
): Promise<{ tables: number; fileBytes: number }> {
  let found;
  try {
    found = await readLevelFolder(folder);
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    report({ severity: "damage", part: "manifest", what: error.message });
    return { tables: 0, fileBytes: 0 };
  }
  let fileBytes = found.manifestBytes.length;
  for (const [number, size] of found.manifest.tables) {
    fileBytes += await checkTableFile(join(folder, tableName(number)), size, report, pace);
  }
  for (const name of found.logs) fileBytes += await checkLogFile(join(folder, name), report, pace);
  if (isLogMissing(found)) {
    const what = `LevelDB's log ${found.manifest.logNumber} is missing`;
    report({ severity: "damage", part: "log-file", what });
  }
  return { tables: found.manifest.tables.size, fileBytes };
}

async function checkTableFile(
  path: string,
  size: number,
  report: Report,
  pace: Pace,
): Promise<number> {
  const file = path.slice(path.length - "000000.ldb".length);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const what = isMissing(error)
      ? "a table is missing"
      : `a table cannot be read: ${String(error)}`;
    report({ severity: "damage", part: "table", what, file });
    return 0;
  }
  await pace(bytes.length);
  if (bytes.length !== size) {
    const what = `a table has ${bytes.length} bytes where the manifest says ${size}`;
    report({ severity: "damage", part: "table", what, file });
    if (bytes.length === 0) return 0;
  }
  for (const fault of checkTable(bytes)) {
    report({ severity: "damage", part: "table", what: `a table is damaged: ${fault}`, file });
  }
  return bytes.length;
}

async function checkLogFile(path: string, report: Report, pace: Pace): Promise<number> {
  const bytes = await readFile(path);
  await pace(bytes.length);
  const file = path.slice(path.length - "000000.log".length);
  for (const { offset, why, isAtEnd } of readLevelLog(bytes).faults) {
    // What a crash leaves of an unfinished write looks the same; the witness tells whether it is one.
    const severity = isAtEnd ? "notice" : "damage";
    const ending = isAtEnd ? "its end was not finished" : "LevelDB skips what it cannot read";
    const what = `LevelDB's log: ${why} at ${offset}; ${ending}`;
    report({ severity, part: "log-file", what, file });
  }
  return bytes.length;
}
