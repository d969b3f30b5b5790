import { join, resolve } from "node:path";

import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  newStoreId,
  type Environment,
  type StoreOpening,
} from "@heddle/core";

import { assertNeverAStore } from "./assert-never-a-store.ts";
import { checkBeforeOpen } from "./check-before-open.ts";
import { exists } from "./files.ts";
import { nothingToCheck, type FolderCheck } from "./folder-check.ts";
import { openLevelDatabase, type OpenDatabase } from "./level-database.ts";
import { LevelLogStore } from "./level-log-store.ts";
import { openHistory, type OpenedStoreHistory } from "./open-history.ts";
import { mendLanes, openMended } from "./mend-own-records.ts";
import { openLog, type OpenLog } from "./open-log.ts";
import { removeAside } from "./quarantine-folder.ts";
import { storeKey } from "./record-keys.ts";
import { putStoreId, readStoreId, type LogMark } from "./records.ts";
import { assertNotHalfReplaced } from "./replace-store.ts";
import { SpaceGuard, type SpaceLimits } from "./space-guard.ts";
import { spaceOnDisk } from "./space-on-disk.ts";
import { logFolderName } from "./store-layout.ts";
import { lockFolder } from "./store-lock.ts";
import {
  makeFolder,
  markerName,
  readMarker,
  storeFormat,
  writeMarker,
  type StoreMarker,
} from "./store-marker.ts";
import { WitnessKeeper } from "./witness-keeper.ts";
import { witnessIn } from "./witness.ts";

export interface LevelStoreOptions {
  readonly environment: Environment;
  /** A commit group that reaches this many bytes is closed; one append is never split. */
  readonly groupBytesMax?: number;
  /** Ends accepting before the disk is full, and keeps a reserve for opening it then. */
  readonly space?: SpaceLimits;
  /** How far the witness may be behind the log. */
  readonly witnessDelayMs?: number;
  /** Commit groups that the change feed remembers once documents are pruned. */
  readonly feedGroupsMax?: number;
  /** Opens the database in place of LevelDB; for tests of faults. */
  readonly openDatabase?: OpenDatabase;
}

/**
 * Opens the store in `directory`, or makes one when the folder is empty or missing.
 *
 * @throws HeddleError `HEDDLE_STORAGE_LOCKED` while another store has the folder, `..._CORRUPT` when a
 * part is missing or damaged (nothing is made anew or repaired in place), `..._VERSION` when a newer
 * heddle wrote it, `..._FULL` or `..._IO` when the disk refuses.
 */
export async function openLevelStore(
  directory: string,
  options: LevelStoreOptions,
): Promise<LevelLogStore> {
  const folder = resolve(directory);
  await makeFolder(folder);
  const lock = await lockFolder(folder, options.environment.hash);
  try {
    const marker = await markerOf(folder, options.environment);
    // Before anything is written that an older heddle would take for damage.
    if (marker.format < storeFormat) await writeMarker(folder, marker);
    const { environment, witnessDelayMs: delayMs } = options;
    let opened: LevelLogStore | undefined;
    const space =
      options.space &&
      newSpaceGuard(folder, options.space, environment, () => {
        opened?.spaceChanged();
      });
    const { log, opening, history, damages } = await openOnDisk(folder, marker, options, space);
    await space?.start();
    const { write } = witnessIn(folder);
    opened = new LevelLogStore({
      storeId: marker.storeId,
      opening,
      environment,
      log,
      damages,
      witness: new WitnessKeeper(history.witness, { environment, write, delayMs }),
      journalNumber: history.journalNumber,
      space,
      reopen: (known) => openVerified(folder, options, { createIfMissing: false, known }),
      release: () => lock.release(),
      groupBytesMax: options.groupBytesMax,
      feedGroupsMax: options.feedGroupsMax,
    });
    return opened;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function newSpaceGuard(
  folder: string,
  limits: SpaceLimits,
  environment: Environment,
  onChange: () => void,
): SpaceGuard {
  const disk = spaceOnDisk(folder, limits.reserveBytes, environment.random);
  return new SpaceGuard(environment, limits, disk, onChange);
}

/** Opening writes; on a full disk the reserve is given up for it, and nothing new is accepted. */
async function openOnDisk(
  folder: string,
  marker: StoreMarker,
  options: LevelStoreOptions,
  space: SpaceGuard | undefined,
): Promise<OpenedFirst> {
  try {
    return await openFirst(folder, marker, options);
  } catch (error) {
    if (!space || !isHeddleError(error, HeddleErrorCode.storageFull)) throw error;
    await space.giveWay();
    return await openFirst(folder, marker, options);
  }
}

/** The marker that is there, or that of a store about to be made. */
async function markerOf(folder: string, environment: Environment): Promise<StoreMarker> {
  const logFolder = join(folder, logFolderName);
  await assertNotHalfReplaced(folder);
  const marker = await readMarker(folder);
  if (marker?.state === "ready" && !(await exists(join(logFolder, "CURRENT")))) {
    throw corrupt("the log has lost its CURRENT file or all of its files");
  }
  if (marker) return marker;
  await assertNeverAStore(folder);
  const { random, clock } = environment;
  const storeId = newStoreId(random);
  const createdAtMs = clock.nowMs();
  const created = { format: storeFormat, storeId, createdAtMs, state: "creating" } as const;
  await writeMarker(folder, created);
  return created;
}

interface OpenedFirst {
  readonly log: OpenLog;
  readonly opening: StoreOpening;
  readonly history: OpenedStoreHistory;
  /** Found in the files before they were opened. */
  readonly damages: FolderCheck["damages"];
}

async function openFirst(
  folder: string,
  marker: StoreMarker,
  options: LevelStoreOptions,
): Promise<OpenedFirst> {
  const created = marker.state === "creating";
  const check = created ? nothingToCheck : await checkBeforeOpen(folder, options.environment);
  const log = await openOwn(folder, marker, options);
  try {
    if (!created) await mendLanes(log, options.environment);
    if (created) await log.database.write([putStoreId(marker.storeId)]);
    const { environment } = options;
    const history = await openHistory(witnessIn(folder), log, marker.storeId, {
      environment,
      isNew: created,
      check,
    });
    if (!history.rollback) for (const aside of check.leftovers) await removeAside(folder, aside);
    if (created) await writeMarker(folder, { ...marker, state: "ready" });
    const { tail, arrivalsVerified } = log;
    const { number: lastArrival, lastHlc } = tail;
    const { incarnation, rollback } = history;
    const opening = { created, lastArrival, lastHlc, arrivalsVerified, incarnation, rollback };
    const { damages } = check;
    return { log: { ...log, mark: tail }, opening, history, damages };
  } catch (error) {
    await log.database.close();
    throw error;
  }
}

/** Opens the log of a marker; what of it has a flipped bit is put right first, where that is proven. */
async function openOwn(
  folder: string,
  marker: StoreMarker,
  options: LevelStoreOptions,
): Promise<OpenLog> {
  const createIfMissing = marker.state === "creating";
  const { environment, openDatabase = openLevelDatabase } = options;
  const open = async (): Promise<OpenLog> => {
    const log = await openVerified(folder, options, { createIfMissing });
    try {
      await checkStoreId(log, marker);
      return log;
    } catch (error) {
      await log.database.close();
      throw error;
    }
  };
  if (createIfMissing) return open();
  const openAgain = () => openDatabase(join(folder, logFolderName), { createIfMissing: false });
  return openMended(open, openAgain, marker.storeId, environment);
}

async function openVerified(
  folder: string,
  { environment, openDatabase = openLevelDatabase }: LevelStoreOptions,
  { createIfMissing, known }: { readonly createIfMissing: boolean; readonly known?: LogMark },
): Promise<OpenLog> {
  const database = await openDatabase(join(folder, logFolderName), { createIfMissing });
  try {
    return await openLog(database, environment, known);
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** A folder put together from two stores would mix their arrivals. */
async function checkStoreId({ database, tail }: OpenLog, marker: StoreMarker): Promise<void> {
  const record = await database.get(storeKey);
  if (marker.state === "creating") {
    if (tail.number > 0) throw corrupt(`${markerName} is older than the log`);
  } else if (!record) {
    throw corrupt("the log has lost the record of its store id");
  }
  if (record && readStoreId(record) !== marker.storeId) {
    throw corrupt("the log belongs to another store");
  }
}

function corrupt(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, what);
}
