import { HeddleError, HeddleErrorCode } from "@heddle/core/base";

/** Where y-indexeddb keeps updates, in the order of their making. */
const storeName = "updates";

/**
 * The rows of a database of y-indexeddb; `undefined` when there is none. None is made by looking.
 *
 * @throws HeddleError `HEDDLE_STORAGE_IO`, `HEDDLE_STORAGE_UNAVAILABLE`.
 */
export async function readYIndexeddb(name: string): Promise<readonly unknown[] | undefined> {
  if (globalThis.indexedDB === undefined) {
    throw new HeddleError(HeddleErrorCode.storageUnavailable, "this platform has no IndexedDB");
  }
  try {
    const database = await openIfThere(name);
    if (database === undefined) return undefined;
    try {
      if (!database.objectStoreNames.contains(storeName)) return undefined;
      const store = database.transaction(storeName, "readonly").objectStore(storeName);
      return await answerOf(store.getAll());
    } finally {
      database.close();
    }
  } catch (cause) {
    const message = `what y-indexeddb keeps as ${name} could not be read`;
    throw new HeddleError(HeddleErrorCode.storageIo, message, { cause });
  }
}

/** Opening makes a database: one that is about to be made is not, and then there was none. */
async function openIfThere(name: string): Promise<IDBDatabase | undefined> {
  const opening = indexedDB.open(name);
  let isThere = true;
  opening.onupgradeneeded = () => {
    isThere = false;
    opening.transaction?.abort();
  };
  try {
    return await answerOf(opening);
  } catch (error) {
    if (!isThere) return undefined;
    throw error;
  }
}

function answerOf<Answer>(request: IDBRequest<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("it failed"));
  });
}
