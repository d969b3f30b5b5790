import type { DocumentId, HeddleError } from "@heddle/core";
import { byeCodeOf, isPermanentBye, type ConnectionEnd } from "@heddle/sync/connection";
import type { WebsocketProvider } from "y-websocket";

import type { SharedEngine } from "../engine/shared-engine.ts";
import type { WebSocketLike } from "../web-socket-like.ts";
import { ClosedEvent, FailedEvent } from "./connection-events.ts";
import { ConnectionFace } from "./connection-face.ts";
import type { HeddleProvider } from "./heddle-provider.ts";
import type { HeddleProviderOptions } from "./provider-options.ts";
import { StockConnection } from "./stock-connection.ts";

/** As y-websocket's provider shows them. */
export interface SocketFields {
  readonly wsconnected: boolean;
  readonly wsconnecting: boolean;
  readonly synced: boolean;
  readonly ws: WebSocketLike | null;
  readonly wsUnsuccessfulReconnects: number;
  readonly wsLastMessageReceived: number;
}

export interface ProviderConnectionOptions {
  readonly provider: HeddleProvider;
  readonly engine: SharedEngine;
  readonly document: DocumentId;
  readonly stock: Pick<HeddleProviderOptions, "WebSocketPolyfill" | "resyncInterval">;
  /** Whether the document is exchanged with the relay. */
  readonly setShared: (isShared: boolean) => void;
  readonly onConnected: () => void;
  /** Some of {@link ProviderConnection.fields} have changed. */
  readonly onChange: () => void;
}

/** A provider's way to its server, with y-websocket's fields and events: through the engine, or a stock server's. */
export class ProviderConnection {
  readonly #options: ProviderConnectionOptions;
  readonly #face: ConnectionFace;
  #stock: StockConnection | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(options: ProviderConnectionOptions) {
    const { provider, setShared } = options;
    this.#options = options;
    this.#face = this.#newFace();
    setShared(provider.shouldConnect);
  }

  get isStock(): boolean {
    return this.#stock !== undefined;
  }

  get fields(): SocketFields {
    const face = this.#face;
    const isIdle = !face.isConnected && !face.isConnecting;
    const { socket = null, lastMessageMs = 0 } = this.#options.engine.link;
    return (
      this.#stock?.provider ?? {
        wsconnected: face.isConnected,
        wsconnecting: face.isConnecting,
        synced: face.isSynced,
        ws: isIdle ? null : socket,
        wsUnsuccessfulReconnects: face.unsuccessful,
        wsLastMessageReceived: lastMessageMs,
      }
    );
  }

  /** For what y-websocket's message handlers do, at a stock server. */
  set synced(isSynced: boolean) {
    if (this.#stock?.provider) this.#stock.provider.synced = isSynced;
  }

  connect(): void {
    const { engine, setShared } = this.#options;
    if (this.#stock?.provider) return this.#stock.connect();
    setShared(true);
    const isAnew = this.#face.connect();
    engine.changed();
    if (isAnew) engine.side?.retry();
  }

  disconnect(): void {
    const { engine, setShared } = this.#options;
    if (this.#stock?.provider) return this.#stock.disconnect();
    this.#face.disconnect();
    if (!engine.side?.isBeside) {
      setShared(false);
      // What the others share goes on in a session that knows nothing of this document.
      engine.side?.hangUp();
    }
    engine.changed();
  }

  /** The provider goes; what is on its way may still arrive. */
  end(): void {
    this.#cancelRetry?.();
    if (this.#stock?.provider === undefined) this.#face.disconnect();
    this.#stock?.destroy();
  }

  /** The engine's side may be another. */
  follow(): void {
    const { side } = this.#options.engine;
    if (side === undefined) return;
    // What is typed apart is stored all the same.
    if (side.isBeside) this.#options.setShared(true);
    if (this.isStock) return;
    this.#face.follow(side.relay);
    this.#noteSettled();
  }

  onStockServer(): void {
    if (this.isStock) return;
    const { provider, engine, stock } = this.#options;
    const { WebSocketPolyfill, resyncInterval = -1 } = stock;
    this.#stock = new StockConnection({
      owner: provider,
      WebSocket: WebSocketPolyfill,
      resyncInterval,
      onOpened: (opened) => this.#onStockOpened(opened),
      onFailed: (error) => provider.emit("failed", [error]),
    });
    engine.changed();
  }

  onFailed(error: HeddleError): void {
    const { provider } = this.#options;
    if (!provider.isOnline || !this.#face.isConnecting) return;
    provider.emit("connection-error", [new FailedEvent(error), provider]);
    const closeCode = byeCodeOf(error.code);
    const code = isPermanentBye(closeCode) ? closeCode : 1006;
    this.#face.closed(new ClosedEvent(code, "", false));
  }

  /** `end` is missing when nothing is known of why. */
  onClosed(end: ConnectionEnd | undefined, wasHere: boolean): void {
    if (this.isStock) return;
    const { closeCode = 1006, reason = "", wasPolite = false } = end ?? {};
    this.#face.closed(wasHere ? null : new ClosedEvent(closeCode, reason, wasPolite));
    // The application may have said so in a field.
    const { provider, engine } = this.#options;
    if (!provider.shouldConnect) engine.changed();
  }

  #newFace(): ConnectionFace {
    const { provider, engine, onChange, onConnected } = this.#options;
    return new ConnectionFace({
      isWanted: () => provider.shouldConnect,
      shouldReconnect: (event) => provider.shouldReconnect(event, provider),
      onStatus: (status) => {
        if (status === "connected") onConnected();
        provider.emit("status", [{ status }]);
        onChange();
        this.#noteSettled();
      },
      onClosed: (event) => provider.emit("connection-close", [event, provider]),
      onSynced: (isSynced) => this.#onSynced(isSynced),
      onGivenUp: ({ code, reason }) => {
        provider.shouldConnect = false;
        engine.changed();
        provider.emit("closed", [{ code, reason }, provider]);
      },
      onRefusedYetWanted: () => this.#retryLater(),
    });
  }

  #noteSettled(): void {
    const { engine, document } = this.#options;
    if (engine.side?.isSettled(document)) this.#face.synced();
  }

  #onSynced(isSynced: boolean): void {
    const { provider, onChange } = this.#options;
    provider.emit("synced", [isSynced]);
    provider.emit("sync", [isSynced]);
    onChange();
  }

  /** What a relay refuses for good is asked for again as often as y-websocket would. */
  #retryLater(): void {
    const { provider, engine } = this.#options;
    const delayMs = Math.min(2 ** this.#face.unsuccessful * 100, provider.maxBackoffTime);
    this.#cancelRetry?.();
    this.#cancelRetry = engine.environment.scheduler.after(delayMs, () => {
      if (provider.isOnline) engine.side?.retry();
    });
  }

  #onStockOpened(stock: WebsocketProvider): void {
    const { provider, onChange } = this.#options;
    // Told already, of the attempt that found out what the server speaks.
    let isTold = this.#face.isConnecting;
    stock.on("status", ({ status }) => {
      if (!(isTold && status === "connecting")) provider.emit("status", [{ status }]);
      isTold = false;
      onChange();
    });
    // Its twin `synced` is told with it.
    stock.on("sync", (isSynced: boolean) => this.#onSynced(isSynced));
    stock.on("connection-error", (event) => provider.emit("connection-error", [event, provider]));
    stock.on("connection-close", (event) => provider.emit("connection-close", [event, provider]));
    stock.on("closed", (event) => {
      provider.shouldConnect = false;
      provider.emit("closed", [event, provider]);
    });
  }
}
