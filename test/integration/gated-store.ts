import {
  HeddleError,
  HeddleErrorCode,
  MemoryDisk,
  MemoryLogStore,
  type LogBatch,
  type LogStore,
  type LogStoreState,
} from "@heddle/core";

import { environment } from "./relay-under-test.ts";

export interface GatedStore {
  readonly store: LogStore;
  /** While true, appends wait. */
  hold(): void;
  release(): void;
  /** The next append fails with this code, after it was written or before. */
  failNext(failure: { readonly isWritten: boolean }): void;
  /** From here on the store says that it cannot write, until {@link mend}. */
  fence(): void;
  mend(): void;
  readonly waiting: number;
}

/** A whole in-memory store whose appends can be held back or made to fail: a slow and a bad disk. */
export async function gatedStore(disk = new MemoryDisk()): Promise<GatedStore> {
  const inner = await MemoryLogStore.open(disk, environment.random);
  let gate: Gate | undefined;
  let failure: { readonly isWritten: boolean } | undefined;
  let waiting = 0;
  let fenced: LogStoreState | undefined;
  const listeners = new Set<(state: LogStoreState) => void>();
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
  const onStateChange = (listener: (state: LogStoreState) => void): (() => void) => {
    const stop = inner.onStateChange(listener);
    listeners.add(listener);
    return () => {
      stop();
      listeners.delete(listener);
    };
  };
  const turn = (state: LogStoreState): void => {
    fenced = state.name === "open" ? undefined : state;
    for (const listener of listeners) listener(state);
  };
  const store = new Proxy(inner, {
    get(target, property) {
      if (property === "append") return append;
      if (property === "state" && fenced) return fenced;
      if (property === "onStateChange") return onStateChange;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return {
    store,
    hold() {
      gate = newGate();
    },
    release() {
      gate?.open();
      gate = undefined;
    },
    failNext(next) {
      failure = next;
    },
    fence: () => turn({ name: "fenced", error: diskFull() }),
    mend: () => turn({ name: "open" }),
    get waiting() {
      return waiting;
    },
  };
}

interface Gate {
  readonly opened: Promise<void>;
  readonly open: () => void;
}

function newGate(): Gate {
  let open: (() => void) | undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open?.() };
}

function diskFull(): HeddleError {
  return new HeddleError(HeddleErrorCode.storageFull, "no space left on this device");
}
