import { WebSocket } from "ws";
import { WebsocketProvider as Provider3 } from "y-websocket";
import { WebsocketProvider as Provider2 } from "y-websocket-2";
import * as Y from "yjs";

import { makeRoomForProviders } from "../integration/stock-client.ts";

// Resync looks for the global class even when it was given another one; Node 20 has none.
globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;

export const providerVersions = ["2.1.0", "3.1.0"] as const;
export type ProviderVersion = (typeof providerVersions)[number];

/** What both versions have in common, and what the tests use of it. */
export interface StockProvider {
  readonly awareness: Provider3["awareness"];
  readonly synced: boolean;
  readonly wsconnected: boolean;
  readonly ws: { close(): void } | null;
  readonly wsLastMessageReceived: number;
  connect(): void;
  disconnect(): void;
  destroy(): void;
  on(event: string, listener: (...args: never[]) => void): void;
}

export interface StockClient extends Disposable {
  readonly ydoc: Y.Doc;
  readonly provider: StockProvider;
}

export interface StockClientOptions {
  readonly url: string;
  readonly name: string;
  readonly version: ProviderVersion;
  readonly ydoc?: Y.Doc;
  readonly resyncInterval?: number;
}

/** A stock provider of the given version on Node. */
export function connectStock(options: StockClientOptions): StockClient {
  const { url, name, version, ydoc = new Y.Doc(), resyncInterval = -1 } = options;
  makeRoomForProviders(1);
  const Provider = version === "2.1.0" ? (Provider2 as unknown as typeof Provider3) : Provider3;
  const provider = new Provider(url, name, ydoc, {
    // The polyfill is what Node needs; its type has more in it than the provider uses.
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
    maxBackoffTime: 200,
    resyncInterval,
  });
  return {
    ydoc,
    provider: provider as unknown as StockProvider,
    [Symbol.dispose]() {
      provider.destroy();
      makeRoomForProviders(-1);
      provider.awareness.destroy();
      ydoc.destroy();
    },
  };
}
