import {
  HeddleError,
  HeddleErrorCode,
  MemoryDisk,
  MemoryLogStore,
  type LogBatch,
  type LogStore,
} from "@heddle/core";

import { environment } from "./relay-under-test.ts";

export interface GatedStore {
  readonly store: LogStore;
  /** While true, appends wait. */
  hold(): void;
  release(): void;
  /** The next append fails with this code, after it was written or before. */
  failNext(failure: { readonly isWritten: boolean }): void;
  readonly waiting: number;
}

/** A whole in-memory store whose appends can be held back or made to fail: a slow and a bad disk. */
export async function gatedStore(disk = new MemoryDisk()): Promise<GatedStore> {
  const inner = await MemoryLogStore.open(disk, environment.random);
  let gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  let failure: { readonly isWritten: boolean } | undefined;
  let waiting = 0;
  const append = async (batch: LogBatch): Promise<number> => {
    waiting++;
    await gate?.opened;
    waiting--;
    const failing = failure;
    failure = undefined;
    if (failing && !failing.isWritten) throw diskFull();
    const number = await inner.append(batch);
    if (failing) throw diskFull();
    return number;
  };
  const store = new Proxy(inner, {
    get(target, property) {
      if (property === "append") return append;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return {
    store,
    hold() {
      let open = (): void => undefined;
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      gate = { opened, open };
    },
    release() {
      gate?.open();
      gate = undefined;
    },
    failNext(next) {
      failure = next;
    },
    get waiting() {
      return waiting;
    },
  };
}

function diskFull(): HeddleError {
  return new HeddleError(HeddleErrorCode.storageFull, "no space left on this device");
}
