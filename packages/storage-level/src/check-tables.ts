import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

import { isMissing } from "./files.ts";
import type { Finding } from "./finding.ts";
import { storageError } from "./level-errors.ts";
import { tableName } from "./level-folder.ts";
import type { LevelManifest } from "./level-manifest.ts";
import { checkTable } from "./level-table-format.ts";
import { dangerIn } from "./table-danger.ts";

/**
 * Reads every table before LevelDB does, and compares all of it with its checksums (ADR-0064).
 *
 * @returns what is damaged, in tables that LevelDB can be given all the same: it answers what it cannot
 * read with an error, and records have checksums of their own.
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` for tables that are missing, cut, or would make LevelDB
 * end the process or leave records out.
 */
export async function checkTables(
  folder: string,
  { tables, bounds, lastSequence }: LevelManifest,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const dangerous: string[] = [];
  for (const [number, bytes] of tables) {
    const file = tableName(number);
    const table = await readTable(join(folder, file), file, bytes);
    const faults = checkTable(table);
    if (faults.length === 0) continue;
    const expected = { ...bounds.get(number)!, lastSequence };
    if (dangerIn(table, expected) === "dangerous") dangerous.push(`${file} (${faults[0]})`);
    for (const fault of faults) {
      const what = `a table is damaged: ${fault}`;
      findings.push({ severity: "damage", part: "table", what, file });
    }
  }
  if (dangerous.length === 0) return findings;
  throw corrupt(
    `tables of the log are damaged so that LevelDB would end the process or leave out records: ` +
      dangerous.join(", "),
  );
}

async function readTable(path: string, name: string, bytes: number): Promise<Uint8Array> {
  let table: Uint8Array;
  try {
    table = await readFile(path);
  } catch (cause) {
    if (isMissing(cause)) throw corrupt(`table ${name} of the log is missing`);
    throw storageError(cause, `table ${name} of the log could not be read`);
  }
  if (table.length === bytes) return table;
  throw corrupt(`table ${name} of the log has ${table.length} bytes where it should have ${bytes}`);
}

function corrupt(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, what);
}
