import { rename } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

import { HeddleErrorCode, isHeddleError, type Environment } from "@heddle/core";

import { carryProjections } from "./carry-projections.ts";
import { checkLevelFolder } from "./check-level-folder.ts";
import { exists } from "./files.ts";
import type { Finding } from "./finding.ts";
import { openLevelDatabase, type LogDatabase, type OpenDatabase } from "./level-database.ts";
import { storageError } from "./level-errors.ts";
import { LevelProjectionStore } from "./level-projection-store.ts";
import { syncFolder } from "./replace-file.ts";
import { lockFolder } from "./store-lock.ts";
import { makeFolder } from "./store-marker.ts";

export interface LevelProjectionOptions {
  readonly environment: Environment;
  /** Opens the database in place of LevelDB; for tests of faults. */
  readonly openDatabase?: OpenDatabase;
}

export interface OpenedProjectionStore {
  readonly store: LevelProjectionStore;
  /** What the files showed before they were opened. */
  readonly damages: readonly Finding[];
  /** Where the files of before are now, which LevelDB cannot be given: everything is built anew. */
  readonly setAside: string | undefined;
}

/**
 * Opens the database of projections in `directory`, or makes one. What is in it is derived, so nothing about it
 * stops anybody: a database that LevelDB refuses, that has a damaged table, or at which LevelDB would end the
 * process, is set aside, and an empty one takes its place. The journal, and what sinks and jobs keep, is carried over as far as
 * LevelDB can read it.
 *
 * @throws HeddleError `HEDDLE_STORAGE_LOCKED` while another store has the folder, `HEDDLE_STORAGE_FULL` or
 * `HEDDLE_STORAGE_IO` when the disk refuses.
 */
export async function openLevelProjectionStore(
  directory: string,
  { environment, openDatabase = openLevelDatabase }: LevelProjectionOptions,
): Promise<OpenedProjectionStore> {
  const folder = resolve(directory);
  await makeFolder(folder);
  const lock = await lockFolder(folder, environment.hash);
  try {
    const database = join(folder, databaseName);
    const { damages, isDangerous } = await look(database);
    // Its records would be refused with each reading, now or once LevelDB merges it.
    const isTableDamaged = damages.some(({ part }) => part === "table");
    for (const { what, file } of damages) {
      environment.logger.error("projections.damage_found", { file, error: what });
    }
    let setAside = isTableDamaged ? await moveAside(database, environment) : undefined;
    const open = (): Promise<LogDatabase> => openDatabase(database, { createIfMissing: true });
    let opened: LogDatabase;
    try {
      opened = await open();
    } catch (error) {
      if (!isHeddleError(error, HeddleErrorCode.storageCorrupt) || setAside !== undefined)
        throw error;
      setAside = await moveAside(database, environment);
      opened = await open();
    }
    const { logger } = environment;
    if (setAside !== undefined && isDangerous) {
      logger.error("projections.journal_lost", { error: "LevelDB would end the process at it" });
    } else if (setAside !== undefined) {
      await carryProjections(setAside, opened, { openDatabase, logger });
    }
    const store = new LevelProjectionStore(opened, {
      environment,
      openDatabase: open,
      release: () => lock.release(),
    });
    return { store, damages, setAside };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Inside of the folder that is locked, so that it can be moved while the lock is held. */
const databaseName = "database";

async function look(database: string): Promise<{ damages: Finding[]; isDangerous: boolean }> {
  const damages: Finding[] = [];
  if (!(await exists(join(database, "CURRENT")))) return { damages, isDangerous: false };
  const report = (finding: Finding): void => {
    if (finding.severity === "damage") damages.push(finding);
  };
  const { isDangerous } = await checkLevelFolder(database, report, async () => undefined);
  return { damages, isDangerous };
}

async function moveAside(database: string, { clock, logger }: Environment): Promise<string> {
  const aside = `${database}.damaged-${clock.nowMs()}`;
  try {
    await rename(database, aside);
    await syncFolder(dirname(database));
  } catch (cause) {
    throw storageError(cause, "damaged projections could not be set aside");
  }
  logger.error("projections.set_aside", { folder: basename(aside) });
  return aside;
}
