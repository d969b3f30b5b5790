import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { isHeddleError } from "@heddle/core";

import type { Report } from "./finding.ts";
import { isLogMissing, readLevelFolder, tableName } from "./level-folder.ts";
import { isMissing } from "./files.ts";
import { readLevelLog } from "./level-log-format.ts";
import { dangerIn, type TableExpectation } from "./table-danger.ts";
import { checkTable } from "./level-table-format.ts";

/** Waits as long as reading `bytes` may take. */
export type Pace = (bytes: number) => Promise<void>;

export interface CheckedFolder {
  readonly tables: number;
  readonly fileBytes: number;
  /** LevelDB may end the process that opens it. */
  readonly isDangerous: boolean;
}

/**
 * Reads every file that LevelDB would read, and checks it by LevelDB's own checksums, without LevelDB:
 * a damaged table can end the process of whoever opens it, and a damaged log is cut short in silence.
 */
export async function checkLevelFolder(
  folder: string,
  report: Report,
  pace: Pace,
): Promise<CheckedFolder> {
  let found;
  try {
    found = await readLevelFolder(folder);
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    report({ severity: "damage", part: "manifest", what: error.message });
    // LevelDB cannot read it either, and says so.
    return { tables: 0, fileBytes: 0, isDangerous: false };
  }
  let fileBytes = found.manifestBytes.length;
  let isDangerous = false;
  const { tables, bounds, lastSequence } = found.manifest;
  for (const [number, bytes] of tables) {
    const expected = { bytes, ...bounds.get(number)!, lastSequence };
    const file = await checkTableFile(join(folder, tableName(number)), expected, report, pace);
    fileBytes += file.bytes;
    isDangerous ||= file.isDangerous;
  }
  for (const name of found.logs) fileBytes += await checkLogFile(join(folder, name), report, pace);
  if (isLogMissing(found)) {
    const what = `LevelDB's log ${found.manifest.logNumber} is missing`;
    report({ severity: "damage", part: "log-file", what });
  }
  return { tables: tables.size, fileBytes, isDangerous };
}

interface ExpectedTable extends TableExpectation {
  readonly bytes: number;
}

async function checkTableFile(
  path: string,
  expected: ExpectedTable,
  report: Report,
  pace: Pace,
): Promise<{ readonly bytes: number; readonly isDangerous: boolean }> {
  const file = path.slice(path.length - "000000.ldb".length);
  const damage = (what: string): void => report({ severity: "damage", part: "table", what, file });
  let table: Uint8Array;
  try {
    table = await readFile(path);
  } catch (error) {
    damage(isMissing(error) ? "a table is missing" : `a table cannot be read: ${String(error)}`);
    return { bytes: 0, isDangerous: false };
  }
  const { length: bytes } = table;
  await pace(bytes);
  if (bytes !== expected.bytes) {
    damage(`a table has ${bytes} bytes where the manifest says ${expected.bytes}`);
    if (bytes === 0) return { bytes, isDangerous: false };
  }
  const faults = checkTable(table);
  for (const fault of faults) damage(`a table is damaged: ${fault}`);
  const isDangerous = faults.length > 0 && dangerIn(table, expected) === "dangerous";
  if (isDangerous) damage("LevelDB would end the process at it, or leave out records");
  return { bytes, isDangerous };
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
