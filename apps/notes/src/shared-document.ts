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
  /** What an edit of this window survives; `false` while one of them is not on this device. */
  readonly saved: Saved;
  /** Edits made on this device that no relay has on its disk. */
  readonly pending: number;
}

/** One Yjs document and its provider, for as long as anything on the page shows it. */
export class SharedDocument {
  readonly name: string;
  readonly ydoc = new Y.Doc();
  readonly awareness: Awareness;
  readonly #provider: HeddleProvider;
  readonly #listeners = new Set<() => void>();
  #status: DocumentStatus = {
    connection: { name: "connecting" },
    everLoaded: false,
    saved: false,
    pending: 0,
  };

  constructor(relay: string, name: string, isOnline: boolean) {
    this.name = name;
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
    provider.on("saved", () => this.#publish(this.#status.connection));
    provider.on("outbox", () => this.#publish(this.#status.connection));
    if (!isOnline) this.#move({ name: "lost" });
  }

  /** Bound, and the same object until something changed: made for `useSyncExternalStore`. */
  readonly status = (): DocumentStatus => this.#status;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  setOnline(isOnline: boolean): void {
    if (isOnline) this.#provider.connect();
    else this.#provider.disconnect();
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
    const { saved, outbox } = this.#provider;
    const status = { connection, everLoaded, saved, pending: outbox.pending };
    const isSame = (Object.keys(status) as (keyof DocumentStatus)[]).every((field) => {
      return status[field] === before[field];
    });
    if (isSame) return;
    this.#status = status;
    for (const listener of this.#listeners) listener();
  }
}
