import { HeddleProvider, type Saved } from "@heddle/client";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import {
  nextConnectionState,
  type ConnectionEvent,
  type ConnectionState,
} from "./connection-state.ts";

export interface DocumentStatus {
  readonly connection: ConnectionState;
  /** The relay's content has been here at least once: an empty document is empty, not unfinished. */
  readonly everLoaded: boolean;
  /** What others wrote has been here: from the relay, or from this device. */
  readonly isHere: boolean;
  /** Somebody switched the network off in this page. */
  readonly isApart: boolean;
  /** What an edit of this window survives; `false` while one of them is not on this device. */
  readonly saved: Saved;
  /** Edits made on this device that no relay has on its disk. */
  readonly pending: number;
  /** Why nothing can be stored on this device, as a code; `undefined` when all is well. */
  readonly trouble: string | undefined;
  /** The browser has thrown away what it had kept. */
  readonly wasEvicted: boolean;
}

/** One Yjs document and its provider, for as long as anything on the page shows it. */
export class SharedDocument {
  readonly name: string;
  readonly ydoc = new Y.Doc();
  readonly awareness: Awareness;
  readonly #provider: HeddleProvider;
  readonly #listeners = new Set<() => void>();
  #trouble: string | undefined;
  /** There was something of it in this device's store. */
  #wasStored = false;
  #isApart: boolean;
  #status: DocumentStatus = {
    connection: { name: "connecting" },
    everLoaded: false,
    isHere: false,
    isApart: false,
    saved: false,
    pending: 0,
    trouble: undefined,
    wasEvicted: false,
  };

  constructor(relay: string, name: string, isOnline: boolean) {
    this.name = name;
    this.#isApart = !isOnline;
    const provider = new HeddleProvider(relay, name, this.ydoc, { connect: isOnline });
    this.#provider = provider;
    this.awareness = provider.awareness;
    provider.on("status", ({ status }) => {
      if (status === "connected") this.#move({ name: "opened" });
      if (status === "disconnected") this.#move({ name: "lost" });
    });
    provider.on("connection-error", () => this.#move({ name: "lost" }));
    provider.on("sync", (isSynced) => {
      if (isSynced) this.#move({ name: "caught-up" });
    });
    provider.on("closed", ({ code, reason }) => this.#move({ name: "refused", code, reason }));
    const changed = (): void => this.#publish(this.#status.connection);
    const onTrouble = ({ code }: { readonly code: string }): void => {
      this.#trouble = code;
      changed();
    };
    provider.on("saved", changed);
    provider.on("outbox", changed);
    provider.on("store-error", changed);
    provider.on("suspended", onTrouble);
    provider.on("failed", onTrouble);
    const onLoaded = (): void => {
      // What was typed in this window so far is under an id of its own.
      const { store, clientID } = this.ydoc;
      this.#wasStored = [...store.clients.keys()].some((client) => client !== clientID);
      changed();
    };
    // What it fails with, `failed` has told.
    provider.whenLoaded().then(onLoaded, () => undefined);
    if (!isOnline) this.#move({ name: "lost" });
  }

  /** Bound, and the same object until something changed: made for `useSyncExternalStore`. */
  readonly status = (): DocumentStatus => this.#status;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Edits of this device that no relay has: of all documents. */
  get devicePending(): number {
    return this.#provider.deviceOutbox.pending;
  }

  /** The same of one document, by name, open or not. */
  pendingOf(name: string): number {
    return name === this.name ? this.#status.pending : this.#provider.outboxOf(name).pending;
  }

  /** Told when one of the two may be another. */
  readonly subscribeToDevice = (listener: () => void): (() => void) => {
    const provider = this.#provider;
    provider.on("device-outbox", listener);
    return () => provider.off("device-outbox", listener);
  };

  setOnline(isOnline: boolean): void {
    this.#isApart = !isOnline;
    if (isOnline) this.#provider.connect();
    else this.#provider.disconnect();
    this.#publish(this.#status.connection);
  }

  /** What was typed last is saved before the document goes; what is not sent yet is sent all the same. */
  destroy(): void {
    this.#listeners.clear();
    void this.#provider.whenDestroyed().then(() => this.ydoc.destroy());
  }

  #move(event: ConnectionEvent): void {
    this.#publish(nextConnectionState(this.#status.connection, event));
  }

  #publish(connection: ConnectionState): void {
    const before = this.#status;
    const everLoaded = before.everLoaded || connection.name === "connected";
    const { saved, outbox, storeError } = this.#provider;
    if (saved !== false) this.#trouble = undefined;
    const status = {
      connection,
      everLoaded,
      isHere: everLoaded || this.#wasStored,
      isApart: this.#isApart,
      saved,
      pending: outbox.pending,
      trouble: this.#trouble,
      wasEvicted: before.wasEvicted || storeError?.code === "HEDDLE_STORAGE_EVICTED",
    };
    const isSame = (Object.keys(status) as (keyof DocumentStatus)[]).every((field) => {
      return status[field] === before[field];
    });
    if (isSame) return;
    this.#status = status;
    for (const listener of this.#listeners) listener();
  }
}
