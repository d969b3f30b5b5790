import { HeddleError, HeddleErrorCode } from "@heddle/core";

import { unavailable } from "./indexed-database.ts";

/** Held until it is released, or the page is gone, or another takes it away. */
export interface BrowserLock {
  release(): void;
}

/** How a tab asks for a store that another may have. */
export interface StoreClaim {
  /** With one, waits until whoever has it lets go; aborting it ends the wait with its reason. */
  readonly untilFree?: AbortSignal | undefined;
  /** Takes it from whoever has it: a tab that answers nobody. It writes nothing from then on. */
  readonly steal?: boolean | undefined;
  /** It is ours from now on; opening it may take a while. */
  readonly onTaken?: (() => void) | undefined;
}

/**
 * Takes the store of that name for this page alone (STO-5).
 *
 * @param onLost another has taken it away.
 * @throws HeddleError `HEDDLE_STORAGE_LOCKED` while another has it, `HEDDLE_STORAGE_UNAVAILABLE` where there
 * are no Web Locks: outside a secure context nobody could tell two tabs from one.
 */
export async function lockBrowserStore(
  name: string,
  { untilFree: signal, steal = false, onTaken }: StoreClaim = {},
  onLost: () => void = () => undefined,
): Promise<BrowserLock> {
  const { locks } = navigator as { readonly locks?: LockManager };
  if (locks === undefined) {
    throw unavailable("this page has no Web Locks, which keep two tabs from writing one store");
  }
  return new Promise((resolve, reject) => {
    let isHeld = false;
    const hold = (lock: Lock | null): Promise<void> => {
      if (lock === null) {
        const message = `another tab has the store ${name}`;
        reject(new HeddleError(HeddleErrorCode.storageLocked, message));
        return Promise.resolve();
      }
      isHeld = true;
      onTaken?.();
      return new Promise((release) => resolve({ release }));
    };
    const options = steal ? { steal } : signal ? { signal } : { ifAvailable: true };
    locks.request(`heddle-store:${name}`, options, hold).catch((error: unknown) => {
      if (isHeld) onLost();
      else reject(error);
    });
  });
}
