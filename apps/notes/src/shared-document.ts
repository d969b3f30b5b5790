import { WebsocketProvider } from "y-websocket";
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
  /**
   * Edits of this window that the relay may not have. Nothing is acknowledged, so whatever was edited since the
   * last catch-up counts as soon as the connection is gone, also what an open socket had taken.
   */
  readonly hasUnsentEdits: boolean;
}

/** One Yjs document and its one connection, for as long as anything on the page shows it. */
export class SharedDocument {
  readonly name: string;
  readonly ydoc = new Y.Doc();
  readonly awareness: Awareness;
  readonly #provider: WebsocketProvider;
  readonly #listeners = new Set<() => void>();
  #editedSinceCaughtUp = false;
  #status: DocumentStatus = {
    connection: { name: "connecting" },
    everLoaded: false,
    hasUnsentEdits: false,
  };

  constructor(relay: string, name: string) {
    this.name = name;
    // Without the BroadcastChannel, so that another tab never shows what the relay has not seen.
    this.#provider = new WebsocketProvider(relay, name, this.ydoc, {
      connect: false,
      disableBc: true,
    });
    this.awareness = this.#provider.awareness;
    this.ydoc.on("update", this.#onUpdate);
    this.#provider.on("status", this.#onStatus);
    this.#provider.on("connection-close", this.#onClose);
    this.#provider.on("sync", this.#onSync);
    this.#provider.on("closed", this.#onRefused);
    this.#provider.connect();
  }

  /** Bound, and the same object until something changed: made for `useSyncExternalStore`. */
  readonly status = (): DocumentStatus => this.#status;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Frames already handed to the socket still go out: closing a WebSocket flushes it. */
  destroy(): void {
    this.#listeners.clear();
    this.#provider.off("status", this.#onStatus);
    this.#provider.off("connection-close", this.#onClose);
    this.#provider.off("sync", this.#onSync);
    this.#provider.off("closed", this.#onRefused);
    this.#provider.destroy();
    this.ydoc.destroy();
  }

  readonly #onUpdate = (_update: Uint8Array, origin: unknown): void => {
    if (origin === this.#provider) return;
    this.#editedSinceCaughtUp = true;
    this.#publish(this.#status.connection);
  };

  readonly #onStatus = ({ status }: { status: string }): void => {
    if (status === "connected") {
      this.#move({ name: "opened" });
      // A new clock, so that peers who dropped our state with the old connection take it again.
      this.awareness.setLocalState(this.awareness.getLocalState());
    } else if (status === "disconnected") {
      forgetAbsentPeers(this.awareness);
    }
  };

  readonly #onClose = (): void => this.#move({ name: "lost" });

  readonly #onSync = (isSynced: boolean): void => {
    if (!isSynced) return;
    this.#editedSinceCaughtUp = false;
    this.#move({ name: "caught-up" });
  };

  readonly #onRefused = ({ code, reason }: { code: number; reason: string }): void => {
    this.#move({ name: "refused", code, reason });
  };

  #move(event: ConnectionEvent): void {
    this.#publish(nextConnectionState(this.#status.connection, event));
  }

  #publish(connection: ConnectionState): void {
    const before = this.#status;
    const everLoaded = before.everLoaded || connection.name === "connected";
    const hasUnsentEdits = this.#editedSinceCaughtUp && connection.name !== "connected";
    if (connection === before.connection && hasUnsentEdits === before.hasUnsentEdits) return;
    this.#status = { connection, everLoaded, hasUnsentEdits };
    for (const listener of this.#listeners) listener();
  }
}

/**
 * y-websocket removes everybody when a connection is lost but keeps their clocks, and would then ignore the same
 * states on return: people would stay invisible until they renew themselves, up to 15 seconds later.
 */
function forgetAbsentPeers(awareness: Awareness): void {
  for (const clientId of awareness.meta.keys()) {
    if (!awareness.states.has(clientId)) awareness.meta.delete(clientId);
  }
}
