import { HeddleError, HeddleErrorCode } from "@heddle/core";

/** Held until it is released, or the page is gone. */
export interface BrowserLock {
  release(): void;
}

/**
 * Takes the store of that name for this page alone (STO-5).
 *
 * @param signal with one, waits until whoever has it lets go; aborting it ends the wait with its reason.
 * @throws HeddleError `HEDDLE_STORAGE_LOCKED` while another has it, `HEDDLE_STORAGE_IO` where there are no
 * Web Locks: outside a secure context nobody could tell two tabs from one.
 */
export async function lockBrowserStore(name: string, signal?: AbortSignal): Promise<BrowserLock> {
  const { locks } = navigator as { readonly locks?: LockManager };
  if (locks === undefined) {
    const message = "this page has no Web Locks, which keep two tabs from writing one store";
    throw new HeddleError(HeddleErrorCode.storageIo, message);
  }
  return new Promise((resolve, reject) => {
    const hold = (lock: Lock | null): Promise<void> => {
      if (lock === null) {
        const message = `another tab has the store ${name}`;
        reject(new HeddleError(HeddleErrorCode.storageLocked, message));
        return Promise.resolve();
      }
      return new Promise((release) => resolve({ release }));
    };
    const options = signal ? { signal } : { ifAvailable: true };
    locks.request(`heddle-store:${name}`, options, hold).catch(reject);
  });
}
