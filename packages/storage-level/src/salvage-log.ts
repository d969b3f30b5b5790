import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { isHeddleError } from "@heddle/core";

import type { Report } from "./finding.ts";
import { entriesOfLog, entriesOfTable, type LevelEntry } from "./level-entries.ts";
import type { LogDatabase, Operation } from "./level-database.ts";
import { isLogMissing, readLevelFolder, tableName } from "./level-folder.ts";
import { openRecord } from "./record-codec.ts";

const batchBytesMax = 4 * 1024 * 1024;

/**
 * Copies every record that is whole from LevelDB's files in `folder` to the new database `target`,
 * reading them without LevelDB: it would end the process at one damage and drop a whole table at
 * another. Of each key the newest version counts, and only if it passes its own checksum.
 */
export async function salvageLog(
  folder: string,
  target: LogDatabase,
  report: Report,
): Promise<number> {
  const files = await filesOf(folder, report);
  const newest = new Map<string, bigint>();
  for (const file of files) {
    for (const { key, sequence } of await entriesOf(folder, file, report)) {
      const name = nameOf(key);
      if (sequence >= (newest.get(name) ?? -1n)) newest.set(name, sequence);
    }
  }
  const writer = new BatchWriter(target);
  for (const file of files) {
    for (const { key, sequence, value } of await entriesOf(folder, file, () => undefined)) {
      const name = nameOf(key);
      if (newest.get(name) !== sequence) continue;
      newest.delete(name);
      if (value && isWhole(key, value, report)) await writer.put(key, value);
    }
  }
  await writer.flush();
  return writer.count;
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}

/** What the manifest names; all that is there where it cannot be read, or not to its end. */
async function filesOf(folder: string, report: Report): Promise<string[]> {
  try {
    const found = await readLevelFolder(folder);
    const { manifest, logs } = found;
    if (!isLogMissing(found) && manifest.logNumber !== 0) {
      return [...[...manifest.tables.keys()].map(tableName), ...logs];
    }
    report({ severity: "damage", part: "manifest", what: "its end is lost, or the log it names" });
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    report({ severity: "damage", part: "manifest", what: error.message });
  }
  return (await readdir(folder)).filter((name) => /^\d+\.(?:ldb|sst|log)$/.test(name)).toSorted();
}

async function entriesOf(folder: string, file: string, report: Report): Promise<LevelEntry[]> {
  const entries: LevelEntry[] = [];
  try {
    const bytes = await readFile(join(folder, file));
    for (const entry of file.endsWith(".log") ? entriesOfLog(bytes) : entriesOfTable(bytes)) {
      entries.push(entry);
    }
  } catch (error) {
    const what = `${file} could be read only in part: ${String(error)}`;
    report({ severity: "damage", part: file.endsWith(".log") ? "log-file" : "table", what, file });
  }
  return entries;
}

function isWhole(key: Uint8Array, value: Uint8Array, report: Report): boolean {
  try {
    openRecord(key, value);
    return true;
  } catch (error) {
    if (!isHeddleError(error)) throw error;
    report({ severity: "damage", part: "record", what: error.message });
    return false;
  }
}

class BatchWriter {
  count = 0;
  readonly #target: LogDatabase;
  #batch: Operation[] = [];
  #bytes = 0;

  constructor(target: LogDatabase) {
    this.#target = target;
  }

  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    this.#batch.push({ type: "put", key, value });
    this.#bytes += value.length;
    this.count++;
    if (this.#bytes >= batchBytesMax) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.#batch.length > 0) await this.#target.write(this.#batch);
    this.#batch = [];
    this.#bytes = 0;
  }
}
