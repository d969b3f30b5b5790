import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { Level } from "level";

import { openError } from "../level-errors.ts";
import type { LogDatabase } from "../level-database.ts";
import { storeFormat } from "../store-format.ts";
import { OwnedDatabase, isOwner, takeDatabase, type Durability } from "./owned-database.ts";

export interface IndexedDatabase {
  readonly database: LogDatabase;
  readonly durability: Durability;
  /** Of whoever may write; see {@link takeDatabase}. */
  readonly owner: number;
}

export interface IndexedOpening {
  /** Of an opening before, which goes on if nobody has taken the database since; without, it is taken. */
  readonly owner?: number;
  /** The database is another's, or the browser has closed it: nothing more can be written. */
  readonly onLost: (error: HeddleError) => void;
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
 * @throws HeddleError `HEDDLE_STORAGE_UNAVAILABLE` where a page may store nothing, `..._VERSION`, `..._FULL`,
 * `..._IO`; with an owner `..._LOCKED` when there is another, `..._EVICTED` when the database is a new one.
 */
export async function openIndexedDatabase(
  name: string,
  { owner: known, onLost }: IndexedOpening,
): Promise<IndexedDatabase> {
  const level = new Level<Uint8Array, Uint8Array>(name, {
    keyEncoding: "view",
    valueEncoding: "view",
    prefix: databasePrefix,
    version: storeFormat,
  });
  try {
    if (!hasIndexedDb()) throw unavailable("this page has no IndexedDB");
    await level.open();
  } catch (cause) {
    const isForbidden = isRefusal(cause instanceof Error ? cause.cause : undefined);
    if (isForbidden) throw unavailable("the browser lets this page store nothing", { cause });
    throw openError(cause, "the database could not be opened");
  }
  const { db } = level as unknown as BrowserBuild;
  try {
    if (known === undefined) {
      const { owner, durability } = await takeDatabase(db, name);
      return { database: new OwnedDatabase(level, { db, name, owner, onLost }), durability, owner };
    }
    const durability = await isOwner(db, name, known);
    const parts = { db, name, owner: known, onLost };
    return { database: new OwnedDatabase(level, parts), durability, owner: known };
  } catch (cause) {
    await level.close();
    const error = openError(cause, "the database could not be taken");
    const { storageLocked, storageEvicted } = HeddleErrorCode;
    if (error.code === storageLocked || error.code === storageEvicted) onLost(error);
    throw error;
  }
}

export function unavailable(message: string, options?: ErrorOptions): HeddleError {
  return new HeddleError(HeddleErrorCode.storageUnavailable, message, options);
}

function hasIndexedDb(): boolean {
  try {
    return globalThis.indexedDB !== undefined && globalThis.indexedDB !== null;
  } catch {
    return false; // A sandboxed page is told so by throwing.
  }
}

/** What browsers throw at pages that may store nothing: sandboxed ones, and some in private windows. */
function isRefusal(cause: unknown): boolean {
  const { name } = Object(cause) as { readonly name?: unknown };
  return name === "SecurityError" || name === "InvalidStateError";
}
