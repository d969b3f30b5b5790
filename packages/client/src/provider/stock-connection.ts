import type { YDoc } from "@heddle/document";
import type { Awareness } from "y-protocols/awareness";
import type { WebsocketProvider } from "y-websocket";

export interface StockConnectionOptions {
  readonly serverUrl: string;
  readonly roomname: string;
  readonly ydoc: YDoc;
  readonly awareness: Awareness;
  readonly params: Record<string, string>;
  readonly protocols: readonly string[];
  readonly WebSocket: unknown;
  readonly resyncInterval: number;
  readonly maxBackoffTime: number;
  readonly connect: boolean;
  readonly onOpened: (provider: WebsocketProvider) => void;
}

/**
 * One document at a server that speaks y-websocket's protocol only: what it says is y-websocket's own
 * business, and what it brings is captured like any other provider's and kept in our store.
 */
export class StockConnection {
  #provider: WebsocketProvider | undefined;
  #shouldConnect: boolean;
  #isDestroyed = false;

  constructor(options: StockConnectionOptions) {
    this.#shouldConnect = options.connect;
    void this.#open(options);
  }

  get provider(): WebsocketProvider | undefined {
    return this.#provider;
  }

  connect(): void {
    this.#shouldConnect = true;
    this.#provider?.connect();
  }

  disconnect(): void {
    this.#shouldConnect = false;
    this.#provider?.disconnect();
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#provider?.destroy();
  }

  async #open(options: StockConnectionOptions): Promise<void> {
    // Only here: whoever has a relay never loads it.
    const { WebsocketProvider } = await import("y-websocket");
    if (this.#isDestroyed) return;
    const { serverUrl, roomname, ydoc, awareness, params, protocols, onOpened } = options;
    const { resyncInterval, maxBackoffTime, WebSocket } = options;
    this.#provider = new WebsocketProvider(serverUrl, roomname, ydoc, {
      awareness,
      params,
      protocols: [...protocols],
      resyncInterval,
      maxBackoffTime,
      connect: false,
      // Tabs meet in the engine.
      disableBc: true,
      ...(WebSocket !== undefined && {
        WebSocketPolyfill: WebSocket as typeof globalThis.WebSocket,
      }),
    });
    onOpened(this.#provider);
    if (this.#shouldConnect) this.#provider.connect();
  }
}
