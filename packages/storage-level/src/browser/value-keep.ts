import { storageError } from "../level-errors.ts";
import { databasePrefix } from "./indexed-database.ts";

/** A place for one value beside a store that is no bytes: a key which cannot be exported. */
export interface ValueKeep {
  /** @throws HeddleError `HEDDLE_STORAGE_IO`. */
  read(): Promise<unknown>;
  /** On disk when it resolves. @throws HeddleError `HEDDLE_STORAGE_FULL` or `HEDDLE_STORAGE_IO`. */
  write(value: unknown): Promise<void>;
  remove(): Promise<void>;
}

const databaseName = `${databasePrefix}.keys`;
const storeName = "keys";

/** The value of the store `name`. */
export function valueKeep(name: string): ValueKeep {
  return {
    read: () => inStore("readonly", (store) => store.get(name)),
    write: async (value) => void (await inStore("readwrite", (store) => store.put(value, name))),
    remove: async () => void (await inStore("readwrite", (store) => store.delete(name))),
  };
}

async function inStore<Value>(
  mode: IDBTransactionMode,
  request: (store: IDBObjectStore) => IDBRequest<Value>,
): Promise<Value> {
  const opening = indexedDB.open(databaseName, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(storeName);
  try {
    const database = await resultOf(opening);
    try {
      const transaction = database.transaction(storeName, mode, { durability: "strict" });
      const asked = request(transaction.objectStore(storeName));
      await new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new Error("it was aborted"));
      });
      return asked.result;
    } finally {
      database.close();
    }
  } catch (cause) {
    throw storageError(cause, "the keys of this origin are not at hand");
  }
}

function resultOf<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("it failed"));
  });
}
