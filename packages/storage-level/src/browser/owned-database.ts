import { HeddleError, HeddleErrorCode } from "@heddle/core";
import type { Level } from "level";

import { LevelDatabase, type Operation } from "../level-database.ts";

/**
 * What an acknowledged write survives: `strict` the loss of power, as far as the disk is honest;
 * `relaxed` the end of the browser only, as the system may still hold it in memory.
 */
export type Durability = "strict" | "relaxed";

export interface OwnedDatabaseParts {
  readonly db: IDBDatabase;
  /** Of the object store. */
  readonly name: string;
  readonly owner: number;
  readonly onLost: (error: HeddleError) => void;
}

/** Records have keys of bytes, which come after keys of text, and those after numbers. */
const ownerKey = "owner";
/** Of owners before, for a tab that sleeps as long as that. */
const endedOwnersMax = 1_000;
const strict = { durability: "strict" } as const;

/**
 * A database that is written to by whoever took it last, and by nobody else: a tab that was frozen with a
 * write on its lips, and thaws when another has taken over, writes nothing (STO-5).
 *
 * Every transaction begins by adding a key that is there once its owner was superseded: then the browser
 * aborts it, and no answer has to be waited for in the middle. All of it is handed to the browser at once
 * and committed, so that a page that is stopped in between leaves nothing half done behind.
 */
export class OwnedDatabase extends LevelDatabase {
  readonly #parts: OwnedDatabaseParts;

  constructor(level: Level<Uint8Array, Uint8Array>, parts: OwnedDatabaseParts) {
    super(level);
    this.#parts = parts;
    parts.db.addEventListener("close", () => parts.onLost(evicted()));
    // Somebody removes it, or opens it as a newer version, and would wait for this page for ever.
    parts.db.addEventListener("versionchange", ({ newVersion }) => {
      parts.db.close();
      parts.onLost(newVersion === null ? evicted() : superseded(undefined));
    });
  }

  protected override async commit(operations: readonly Operation[]): Promise<void> {
    const { db, name, owner, onLost } = this.#parts;
    try {
      await inTransaction(db, name, (store) => {
        store.add(0, owner);
        store.delete(owner);
        for (const operation of operations) {
          if (operation.type === "put") store.put(own(operation.value), plainKey(operation.key));
          else store.delete(plainKey(operation.key));
        }
      });
    } catch (cause) {
      if ((cause as Error).name !== "ConstraintError") throw cause;
      const error = superseded(cause);
      onLost(error);
      throw error;
    }
  }
}

/** Makes the caller the owner: whoever was it writes nothing from here on. */
export async function takeDatabase(
  db: IDBDatabase,
  name: string,
): Promise<{ readonly owner: number; readonly durability: Durability }> {
  let owner = 0;
  const durability = await inTransaction(db, name, (store) => {
    const asked = store.get(ownerKey);
    asked.onsuccess = () => {
      const before = Number(asked.result ?? 0);
      owner = before + 1;
      store.put(owner, ownerKey);
      store.put(0, before);
      store.delete(IDBKeyRange.bound(-Infinity, before - endedOwnersMax));
    };
    return "later";
  });
  return { owner, durability };
}

/** @throws HeddleError `HEDDLE_STORAGE_LOCKED` when somebody else is, `..._EVICTED` when nobody ever was. */
export async function isOwner(db: IDBDatabase, name: string, owner: number): Promise<Durability> {
  let found: unknown;
  const durability = await inTransaction(db, name, (store) => {
    const asked = store.get(ownerKey);
    asked.onsuccess = () => {
      found = asked.result;
    };
    return "later";
  });
  if (found === undefined) throw evicted();
  if (found !== owner) throw superseded(undefined);
  return durability;
}

/** Resolves when it is on disk, with what the browser says that this means. */
function inTransaction(
  db: IDBDatabase,
  name: string,
  work: (store: IDBObjectStore) => "later" | void,
): Promise<Durability> {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(name, "readwrite", strict);
    transaction.oncomplete = () => {
      resolve(transaction.durability === "strict" ? "strict" : "relaxed");
    };
    transaction.onabort = () => reject(transaction.error ?? new Error("it was aborted"));
    try {
      // Older browsers commit by themselves, once every request is answered.
      if (work(transaction.objectStore(name)) !== "later") transaction.commit?.();
    } catch (error) {
      transaction.abort();
      reject(error);
    }
  });
}

/** Of a view the whole buffer behind it would be stored. */
function own(value: Uint8Array): Uint8Array {
  return value.byteLength === value.buffer.byteLength ? value : value.slice();
}

/** A view on shared memory is excluded by contract, not by the type. */
function plainKey(key: Uint8Array): Uint8Array<ArrayBuffer> {
  return key as Uint8Array<ArrayBuffer>;
}

function superseded(cause: unknown): HeddleError {
  const message = "another tab has taken the store over";
  return new HeddleError(HeddleErrorCode.storageLocked, message, { cause });
}

function evicted(): HeddleError {
  const message = "the browser has thrown away what was stored here";
  return new HeddleError(HeddleErrorCode.storageEvicted, message);
}
