import { copyFile, mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";

import type { JournalEntry } from "./history-records.ts";
import { storageError } from "./level-errors.ts";
import { isLogMissing, isMissing, readLevelFolder, tableName } from "./level-folder.ts";
import { readLevelLog } from "./level-log-format.ts";
import { syncFolder } from "./replace-file.ts";
import { logFolderName, quarantineFolderName } from "./store-layout.ts";

/**
 * Looks at LevelDB's files before it does. Tables that are missing, empty or cut are refused, at which
 * LevelDB would fail in the middle of reading, or end the process; so is a manifest whose end is lost, as
 * LevelDB deletes tables that it does not find in there. Of a log that is damaged a copy is set
 * aside: LevelDB drops what it cannot read of it, and then the log itself.
 *
 * @returns what the journal of the store should say.
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT`.
 */
export async function checkBeforeOpen(
  folder: string,
  { clock, logger }: Pick<Environment, "clock" | "logger">,
): Promise<JournalEntry[]> {
  const log = join(folder, logFolderName);
  const found = await readLevelFolder(log);
  const { manifest, logs } = found;
  if (isLogMissing(found)) {
    throw corrupt(
      `log ${manifest.logNumber} is missing, or the end of ${found.manifestName} is lost`,
    );
  }
  // From its first opening on, a store's manifest names a log.
  if (manifest.logNumber === 0) throw corrupt(`the end of ${found.manifestName} is lost`);
  for (const [number, bytes] of manifest.tables) await assertTable(log, number, bytes);
  const entries: JournalEntry[] = [];
  const atMs = clock.nowMs();
  for (const name of logs) {
    const why = await damageOf(join(log, name));
    if (why === undefined) continue;
    const aside = await setAside(folder, name, atMs);
    logger.error("store.log_set_aside", { file: name, error: why, copy: aside });
    entries.push({ event: "log-set-aside", atMs, detail: `${name}: ${why}; copied to ${aside}` });
  }
  return entries;
}

async function assertTable(log: string, number: number, bytes: number): Promise<void> {
  const name = tableName(number);
  try {
    const { size } = await stat(join(log, name));
    if (size === bytes) return;
    throw corrupt(`table ${name} of the log has ${size} bytes where it should have ${bytes}`);
  } catch (cause) {
    if (isMissing(cause)) throw corrupt(`table ${name} of the log is missing`);
    throw storageError(cause, `table ${name} of the log could not be looked at`);
  }
}

/** What a crash leaves of a write that nobody waited for is no damage. */
async function damageOf(path: string): Promise<string | undefined> {
  const { faults } = readLevelLog(await readFile(path));
  const fault = faults.find(({ isAtEnd, isCut }) => !isAtEnd || !isCut);
  return fault && `${fault.why} at ${fault.offset}`;
}

async function setAside(folder: string, name: string, atMs: number): Promise<string> {
  const quarantine = join(folder, quarantineFolderName);
  const stamp = new Date(atMs).toISOString().replaceAll(":", "-");
  const aside = `${stamp}-${name}`;
  try {
    await mkdir(quarantine, { recursive: true, mode: 0o700 });
    await copyFile(join(folder, logFolderName, name), join(quarantine, aside));
    await syncFolder(quarantine);
  } catch (cause) {
    throw storageError(cause, `a damaged log could not be set aside`);
  }
  return `${quarantineFolderName}/${aside}`;
}

function corrupt(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, what);
}
