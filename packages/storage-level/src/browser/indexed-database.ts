import { Level } from "level";

import { openError } from "../level-errors.ts";
import { LevelDatabase, type LogDatabase } from "../level-database.ts";
import { storeFormat } from "../store-format.ts";

/**
 * What an acknowledged write survives: `strict` the loss of power, as far as the disk is honest;
 * `relaxed` the end of the browser only, as the system may still hold it in memory.
 */
export type Durability = "strict" | "relaxed";

export interface IndexedDatabase {
  readonly database: LogDatabase;
  readonly durability: Durability;
}

/** In front of the name of every database of heddle's. */
export const databasePrefix = "heddle-";

/** What `level` offers of its database in a browser, beside what it offers everywhere. */
interface BrowserBuild {
  readonly db: IDBDatabase;
}

/**
 * Opens the database `name` of this origin, or makes it; its version is that of the storage format, so
 * that the browser itself refuses what a newer heddle wrote.
 *
 * @throws HeddleError `HEDDLE_STORAGE_VERSION`, `..._FULL`, or `..._IO` where a page may store nothing.
 */
export async function openIndexedDatabase(name: string): Promise<IndexedDatabase> {
  const options = {
    keyEncoding: "view",
    valueEncoding: "view",
    prefix: databasePrefix,
    version: storeFormat,
  };
  const level = new Level<Uint8Array, Uint8Array>(name, options);
  try {
    await level.open();
  } catch (cause) {
    throw openError(cause, "the database could not be opened");
  }
  const durability = askForStrict((level as unknown as BrowserBuild).db, name);
  return { database: new LevelDatabase(level), durability };
}

/**
 * `level` begins its transactions without saying how durable they are to be, and Chromium takes that for
 * `relaxed`. The answer is what the browser says of such a transaction, not what was asked for.
 */
function askForStrict(database: IDBDatabase, storeName: string): Durability {
  const begin = database.transaction.bind(database);
  const strict = { durability: "strict" } as const;
  database.transaction = (names, mode, options) => {
    return begin(names, mode, mode === "readwrite" ? { ...options, ...strict } : options);
  };
  return begin(storeName, "readonly", strict).durability === "strict" ? "strict" : "relaxed";
}
