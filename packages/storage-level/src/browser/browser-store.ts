import { HeddleError, HeddleErrorCode, newStoreId, type Environment } from "@heddle/core";

import { nothingToCheck } from "../folder-check.ts";
import { storageError } from "../level-errors.ts";
import { LevelLogStore, type LevelStoreParts } from "../level-log-store.ts";
import { openHistory } from "../open-history.ts";
import { openLog } from "../open-log.ts";
import { storeKey } from "../record-keys.ts";
import { putStoreId, readStoreId } from "../records.ts";
import { WitnessKeeper } from "../witness-keeper.ts";
import { databasePrefix, openIndexedDatabase } from "./indexed-database.ts";
import { localWitness } from "./local-witness.ts";
import type { Durability } from "./owned-database.ts";
import { StoreHold } from "./store-hold.ts";
import { lockBrowserStore, type StoreClaim } from "./store-lock.ts";
import { valueKeep, type ValueKeep } from "./value-keep.ts";

export interface BrowserStoreOptions {
  /** A commit group that reaches this many bytes is closed; one append is never split. */
  readonly groupBytesMax?: number;
  /** How far the witness may be behind the log. */
  readonly witnessDelayMs?: number;
}

/** A store of this origin that is still to be opened. */
export interface BrowserStoreOpener {
  readonly name: string;
  /** For the key of the device. */
  readonly keep: ValueKeep;
  /** @throws HeddleError as {@link browserStore} says. */
  open(environment: Environment, claim?: StoreClaim): Promise<BrowserLogStore>;
}

type AboutBrowserStore = Pick<
  BrowserLogStore,
  "durability" | "wasEvicted" | "whenLost" | "stillOurs"
>;

/** A {@link LevelLogStore} on the IndexedDB of a browser. */
export class BrowserLogStore extends LevelLogStore {
  readonly durability: Durability;
  /** The browser has thrown away what was stored here before: another store begins. */
  readonly wasEvicted: boolean;
  /**
   * Resolves when nothing more can be written: with `HEDDLE_STORAGE_LOCKED` when another tab has taken the
   * store over, with `HEDDLE_STORAGE_EVICTED` when the browser has thrown it away.
   */
  readonly whenLost: Promise<HeddleError>;
  /**
   * Looks whether it is still this page's, for one that was frozen or cached meanwhile.
   *
   * @throws HeddleError what {@link whenLost} resolves with, or `HEDDLE_STORAGE_IO`.
   */
  readonly stillOurs: () => Promise<void>;

  constructor(parts: LevelStoreParts, about: AboutBrowserStore) {
    super(parts);
    this.durability = about.durability;
    this.wasEvicted = about.wasEvicted;
    this.whenLost = about.whenLost;
    this.stillOurs = about.stillOurs;
  }
}

/** What the browser allows a store to be called; it is part of names that people see in its tools. */
const nameLengthMax = 128;

/**
 * The store `name` of this origin, in IndexedDB by `level`'s browser build: the same records as on a
 * disk, in strict transactions where the browser has them. One tab has it at a time.
 *
 * Opening throws a HeddleError: `HEDDLE_STORAGE_LOCKED` while another tab has it, `..._CORRUPT` when it has
 * lost a part, `..._VERSION` when a newer heddle wrote it, `..._FULL` at the quota, `..._UNAVAILABLE` where a
 * page may store nothing or has no Web Locks, `..._IO` for all else.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for a name that is empty or long.
 */
export function browserStore(name: string, options: BrowserStoreOptions = {}): BrowserStoreOpener {
  if (name.length === 0 || name.length > nameLengthMax) {
    const message = `a browser's store has a name of at most ${nameLengthMax} characters`;
    throw new HeddleError(HeddleErrorCode.configInvalid, message);
  }
  return {
    name,
    keep: valueKeep(name),
    async open(environment, claim) {
      const hold = new StoreHold();
      const lock = await lockBrowserStore(name, claim, () => hold.lockTaken());
      try {
        const release = (): void => lock.release();
        return await openLocked(name, environment, { ...options, hold, release });
      } catch (error) {
        lock.release();
        throw error;
      }
    },
  };
}

/**
 * Removes the store and its device key.
 *
 * @throws HeddleError `HEDDLE_STORAGE_LOCKED` while a tab has it open.
 */
export async function deleteBrowserStore(name: string): Promise<void> {
  const lock = await lockBrowserStore(name);
  try {
    await new Promise<void>((resolve, reject) => {
      const request = indexedDB.deleteDatabase(databasePrefix + name);
      request.onsuccess = () => resolve();
      request.onerror = () => reject(storageError(request.error, "the store could not be removed"));
    });
    localWitness(name).forget();
    await valueKeep(name).remove();
  } finally {
    lock.release();
  }
}

interface Opening extends BrowserStoreOptions {
  readonly hold: StoreHold;
  readonly release: () => void;
}

async function openLocked(
  name: string,
  environment: Environment,
  { groupBytesMax, witnessDelayMs: delayMs, hold, release }: Opening,
): Promise<BrowserLogStore> {
  const onLost = (error: HeddleError): void => hold.lose(error);
  const { database, durability, owner } = await openIndexedDatabase(name, { onLost });
  try {
    const place = hold.guard(localWitness(name));
    const isNew = (await database.lastKey(everything)) === undefined;
    const wasEvicted = isNew && (await place.read()).found !== "none";
    if (wasEvicted) environment.logger.error("store.evicted", { name });
    const record = await database.get(storeKey);
    if (record === undefined && !isNew) throw corrupt("it has lost the record of its store id");
    const storeId = record ? readStoreId(record) : newStoreId(environment.random);
    const log = await openLog(database, environment);
    if (isNew) await database.write([putStoreId(storeId)]);
    const about = { environment, isNew, check: nothingToCheck };
    const history = await openHistory(place, log, storeId, about);
    const { tail, arrivalsVerified } = log;
    const parts: LevelStoreParts = {
      storeId,
      opening: {
        created: isNew,
        lastArrival: tail.number,
        lastHlc: tail.lastHlc,
        arrivalsVerified,
        incarnation: history.incarnation,
        rollback: history.rollback,
      },
      environment,
      log: { ...log, mark: tail },
      damages: [],
      witness: new WitnessKeeper(history.witness, { environment, write: place.write, delayMs }),
      journalNumber: history.journalNumber,
      space: undefined,
      reopen: async (known) => {
        const again = await openIndexedDatabase(name, { owner, onLost });
        try {
          return await openLog(again.database, environment, known);
        } catch (error) {
          await again.database.close();
          throw error;
        }
      },
      release: async () => release(),
      groupBytesMax,
      feedGroupsMax: undefined,
    };
    const store = new BrowserLogStore(parts, {
      durability,
      wasEvicted,
      whenLost: hold.whenLost,
      stillOurs: async () => {
        const again = await openIndexedDatabase(name, { owner, onLost });
        await again.database.close();
      },
    });
    // Whoever embeds it holds `store.opening` from here on: a rollback is told once.
    await store.openingTold();
    return store;
  } catch (error) {
    await database.close();
    throw error;
  }
}

const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(0xff, 0xff) };

function corrupt(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, `the store is damaged: ${what}`);
}
