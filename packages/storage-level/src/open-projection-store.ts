import { rename } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";

import { HeddleErrorCode, isHeddleError, type Environment, type Logger } from "@heddle/core";

import { carryProjections } from "./carry-projections.ts";
import { checkLevelFolder } from "./check-level-folder.ts";
import { exists } from "./files.ts";
import type { Finding } from "./finding.ts";
import { openLevelDatabase, type LogDatabase, type OpenDatabase } from "./level-database.ts";
import { storageError } from "./level-errors.ts";
import { LevelProjectionStore } from "./level-projection-store.ts";
import { syncFolder } from "./replace-file.ts";
import { SetAsideList } from "./set-aside-list.ts";
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
    const { database, ...opened } = await openOrReplace(folder, { environment, openDatabase });
    const store = new LevelProjectionStore(database, {
      environment,
      openDatabase: () => openDatabase(join(folder, databaseName), { createIfMissing: true }),
      release: () => lock.release(),
    });
    return { store, ...opened };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Of a folder that is locked. */
async function openOrReplace(
  folder: string,
  { environment, openDatabase }: Required<LevelProjectionOptions>,
): Promise<Omit<OpenedProjectionStore, "store"> & { readonly database: LogDatabase }> {
  const { logger } = environment;
  const path = join(folder, databaseName);
  const asides = await SetAsideList.read(folder, logger);
  const damages = await damagesOf(path);
  for (const { what, file } of damages) {
    logger.error("projections.damage_found", { file, error: what });
  }
  // Records of a damaged table would be refused with each reading, now or once LevelDB merges it.
  const isTableDamaged = damages.some(({ part }) => part === "table");
  if (isTableDamaged) await moveAside(path, asides, environment);
  const open = (): Promise<LogDatabase> => openDatabase(path, { createIfMissing: true });
  let database: LogDatabase;
  try {
    database = await open();
  } catch (error) {
    if (!isHeddleError(error, HeddleErrorCode.storageCorrupt) || isTableDamaged) throw error;
    await moveAside(path, asides, environment);
    database = await open();
  }
  try {
    // Those of an opening that was cut short as well.
    const folders = await asides.folders();
    for (const aside of folders) await carryOver(aside, database, { openDatabase, logger });
    if (folders.length > 0) await asides.clear();
    return { database, damages, setAside: folders.at(-1) };
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function carryOver(
  aside: string,
  target: LogDatabase,
  ports: { readonly openDatabase: OpenDatabase; readonly logger: Logger },
): Promise<void> {
  if (!(await isDangerous(aside))) return await carryProjections(aside, target, ports);
  const error = "LevelDB would end the process at it";
  ports.logger.error("projections.journal_lost", { error });
}

/** Inside of the folder that is locked, so that it can be moved while the lock is held. */
const databaseName = "database";

async function damagesOf(database: string): Promise<Finding[]> {
  const damages: Finding[] = [];
  await look(database, (finding) => {
    if (finding.severity === "damage") damages.push(finding);
  });
  return damages;
}

async function isDangerous(database: string): Promise<boolean> {
  return (await look(database, () => undefined))?.isDangerous ?? false;
}

async function look(
  database: string,
  report: (finding: Finding) => void,
): Promise<{ readonly isDangerous: boolean } | undefined> {
  if (!(await exists(join(database, "CURRENT")))) return undefined;
  return await checkLevelFolder(database, report, async () => undefined);
}

async function moveAside(
  database: string,
  asides: SetAsideList,
  { clock, logger }: Environment,
): Promise<void> {
  try {
    const aside = await freeName(`${database}.damaged-${Math.floor(clock.nowMs())}`);
    await asides.add(aside);
    await rename(database, aside);
    await syncFolder(dirname(database));
    logger.error("projections.set_aside", { folder: basename(aside) });
  } catch (cause) {
    throw storageError(cause, "damaged projections could not be set aside");
  }
}

/** Two may be set aside within a millisecond, and clocks are set back. */
async function freeName(wanted: string): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const name = attempt === 0 ? wanted : `${wanted}-${attempt}`;
    if (!(await exists(name))) return name;
  }
}
