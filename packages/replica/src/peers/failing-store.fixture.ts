import {
  HeddleError,
  HeddleErrorCode,
  type DocumentId,
  type LogStore,
  type LogStoreState,
} from "@heddle/core";

type StateListener = (state: LogStoreState) => void;

/** A store that fails when told, as a full disk does, and proves itself again when told. */
export class FailingStore {
  readonly store: LogStore;
  #state: LogStoreState = { name: "open" };
  #listener: StateListener = () => undefined;
  /** Reads that fail the next time. */
  readonly failsOnce = new Set<keyof LogStore>();
  readonly #damaged = new Set<DocumentId>();

  constructor(store: LogStore) {
    this.store = new Proxy(store, {
      get: (target, name) => {
        if (name === "state") return this.#state;
        if (name === "onStateChange") return (listener: StateListener) => this.#listen(listener);
        if (this.failsOnce.delete(name as keyof LogStore)) return () => Promise.reject(damaged());
        if (name === "readLogByArrival") return this.#readLog(target);
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  set(state: LogStoreState): void {
    this.#state = state;
    this.#listener(state);
  }

  /** From here on the log of this document cannot be read. */
  damage(document: DocumentId): void {
    this.#damaged.add(document);
  }

  #readLog(store: LogStore): LogStore["readLogByArrival"] {
    return (document, range) => {
      if (!this.#damaged.has(document)) return store.readLogByArrival(document, range);
      throw damaged();
    };
  }

  #listen(listener: StateListener): () => void {
    this.#listener = listener;
    return () => undefined;
  }
}

function damaged(): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, "a record is damaged");
}
