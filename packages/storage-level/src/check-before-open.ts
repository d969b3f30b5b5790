import { join } from "node:path";

import { HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";

import { checkTables } from "./check-tables.ts";
import type { Finding } from "./finding.ts";
import type { FolderCheck } from "./folder-check.ts";
import type { JournalEntry } from "./history-records.ts";
import { isLogMissing, readLevelFolder } from "./level-folder.ts";
import { copyAside, moveAside, type Aside } from "./quarantine-folder.ts";
import { readLiveLogs, type LiveLogs } from "./read-live-logs.ts";
import { logFolderName } from "./store-layout.ts";
import { checkUnnamedFiles } from "./unnamed-files.ts";
import { readWitness, writeWitness } from "./witness.ts";

/** Of logs that were set aside, kept in the witness until an opening comes to its end. */
const detailsMax = 100;

/**
 * Looks at LevelDB's files before it does (ADR-0064): LevelDB deletes what its manifest does not name,
 * drops what it cannot read of its log, believes what is damaged in a table, and ends the process at some
 * of it. Whatever is refused here is refused with every file as it was.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT`.
 */
export async function checkBeforeOpen(
  folder: string,
  { clock, logger }: Pick<Environment, "clock" | "logger">,
): Promise<FolderCheck> {
  const { lastGroup, damaged, unreadable, damages } = await judgeFiles(join(folder, logFolderName));
  // Nothing is refused from here on, so now files may be moved.
  const atMs = clock.nowMs();
  const notes: JournalEntry[] = [];
  for (const { what, file } of damages) {
    logger.error("store.damage_found", { part: "table", file, error: what });
  }
  for (const { name, why } of damaged) {
    const copy = await copyAside(folder, name, atMs);
    logger.error("store.log_set_aside", { file: name, error: why, copy });
    notes.push({ event: "log-set-aside", atMs, detail: `${name}: ${why}; copied to ${copy}` });
  }
  if (damaged.length > 0) await keepWhatIsDropped(folder, lastGroup, notes);
  const leftovers: Aside[] = [];
  for (const name of unreadable) leftovers.push(await moveAside(folder, name, atMs));
  return { notes, damages, lastGroup, hasDamagedLog: damaged.length > 0, leftovers };
}

/**
 * LevelDB rewrites its log without what it cannot read, before anything of this opening is written: were
 * it to end there, nobody would know later. Without a whole witness the opening is a rollback anyway.
 */
async function keepWhatIsDropped(
  folder: string,
  lastGroup: number,
  notes: readonly JournalEntry[],
): Promise<void> {
  const found = await readWitness(folder);
  if (found.found !== "whole") return;
  const { witness, isOriginal } = found;
  const before = witness.dropping ?? { lastGroup: 0, details: [] };
  const dropping = {
    lastGroup: Math.max(before.lastGroup, lastGroup),
    details: [...before.details, ...notes.map(({ detail }) => detail)].slice(-detailsMax),
  };
  await writeWitness(folder, { ...witness, dropping }, isOriginal);
}

export interface JudgedFiles extends Omit<LiveLogs, "lastSequence"> {
  /** In tables that LevelDB can be given all the same. */
  readonly damages: readonly Finding[];
  /** Names of files that the manifest does not name and that cannot be read to their end. */
  readonly unreadable: readonly string[];
}

/**
 * Decides whether LevelDB may open the folder `log`, and changes nothing in it.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT`.
 */
export async function judgeFiles(log: string): Promise<JudgedFiles> {
  const found = await readLevelFolder(log);
  const { manifest, manifestName } = found;
  if (isLogMissing(found)) {
    throw corrupt(`log ${manifest.logNumber} is missing, or the end of ${manifestName} is lost`);
  }
  // From its first opening on, a store's manifest names a log.
  if (manifest.logNumber === 0) throw corrupt(`the end of ${manifestName} is lost`);
  const { lastSequence, lastGroup, damaged } = await readLiveLogs(log, found);
  const unreadable = await checkUnnamedFiles(log, found, lastSequence);
  const damages = await checkTables(log, manifest);
  return { lastGroup, damaged, unreadable, damages };
}

function corrupt(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, what);
}
