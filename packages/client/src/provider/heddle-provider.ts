import { platform } from "#platform";
import { documentIdOf, openSpaceId, type DocumentId, type HeddleError } from "@heddle/core";
import type { YDoc } from "@heddle/document";
import type { DialerStateName, LiveDocument, LiveStatus } from "@heddle/replica";
import type { ConnectionEnd, SyncEvent } from "@heddle/sync";
import { ObservableV2 } from "lib0/observable";
import type { Awareness } from "y-protocols/awareness";

import { nothingWaits } from "../engine/engine-view.ts";
import { SharedEngine, type EngineUser } from "../engine/shared-engine.ts";
import { silent } from "../open-replica.ts";
import type { WebSocketConstructor } from "../web-socket-transport.ts";
import { ProgressTeller } from "./progress-teller.ts";
import type { HeddleProviderEvents, Outbox, Saved, SyncStatus } from "./provider-events.ts";
import type { HeddleProviderOptions } from "./provider-options.ts";
import { StockConnection } from "./stock-connection.ts";

/**
 * Ties a Yjs document to a durable store on this device and to a relay: in the place of y-websocket's
 * `WebsocketProvider`, with the same constructor, options, fields, methods and events.
 *
 * - It is there at once; edits made before the store is open count (LIV-3).
 * - {@link saved} says what an edit survives, {@link outbox} what no relay has yet. `synced` means what it
 *   always meant: the first exchange with the server is done.
 * - Providers of one server and one store share one connection and one engine.
 * - A server that speaks only y-websocket's protocol is spoken to in that.
 * - Transactions that bring what others wrote have the provider as their origin.
 */
export class HeddleProvider extends ObservableV2<HeddleProviderEvents> implements EngineUser {
  readonly serverUrl: string;
  readonly roomname: string;
  readonly doc: YDoc;
  readonly awareness: Awareness;
  params: Record<string, string>;
  shouldConnect: boolean;
  readonly #options: HeddleProviderOptions;
  readonly #engine: SharedEngine;
  readonly #live: LiveDocument;
  readonly #documentId: DocumentId;
  readonly #stops: (() => void)[] = [];
  #connection: DialerStateName = "idle";
  #synced = false;
  readonly #teller: ProgressTeller;
  readonly #waiting: (() => void)[] = [];
  #stock: StockConnection | undefined;
  #trouble: HeddleError | undefined;
  #destroying: Promise<void> | undefined;

  /** @throws HeddleError `HEDDLE_FRAME_MALFORMED` when `roomname` cannot be the name of a document. */
  constructor(serverUrl: string, roomname: string, doc: YDoc, options: HeddleProviderOptions = {}) {
    super();
    this.serverUrl = withoutSlashes(serverUrl);
    this.roomname = roomname;
    this.doc = doc;
    this.params = options.params ?? {};
    this.shouldConnect = options.connect ?? true;
    this.#options = options;
    this.#engine = engineOf(this.serverUrl, options);
    const { awareness } = options;
    this.#live = this.#engine.document({ name: roomname, ydoc: doc, awareness, origin: this });
    this.awareness = this.#live.awareness;
    const { hash } = this.#engine.environment;
    this.#documentId = documentIdOf(hash, openSpaceId(hash), this.#live.name);
    this.#teller = this.#newTeller();
    this.#live.setShared(this.shouldConnect);
    this.#follow();
    this.#engine.join(this);
    if (options.wire === "y-websocket" || this.#engine.isStockServer) this.onStockServer();
  }

  get url(): string {
    const { query } = this;
    return `${this.serverUrl}/${this.roomname}${query && `?${query}`}`;
  }

  /** For the engine. */
  get query(): string {
    return new URLSearchParams(this.params).toString();
  }

  /** For the engine. */
  get isOnline(): boolean {
    return this.shouldConnect && this.#stock === undefined && this.#destroying === undefined;
  }

  get wsconnected(): boolean {
    if (this.#stock) return this.#stock.provider?.wsconnected ?? false;
    return this.shouldConnect && this.#connection === "live";
  }

  get wsconnecting(): boolean {
    if (this.#stock) return this.#stock.provider?.wsconnecting ?? this.shouldConnect;
    const isUnderWay = this.#connection === "dialing" || this.#connection === "greeting";
    return this.shouldConnect && isUnderWay;
  }

  /** Of a stock server; the way to a relay is the engine's. */
  get ws(): unknown {
    return this.#stock?.provider?.ws ?? null;
  }

  get synced(): boolean {
    return this.#synced;
  }

  get saved(): Saved {
    if (this.#live.status.state !== "saved") return false;
    return this.#engine.side?.durabilityOf(this.#documentId) ?? false;
  }

  get outbox(): Outbox {
    const sent = this.#engine.side?.waitingOf(this.#documentId) ?? nothingWaits;
    const { count, bytes, oldestMs } = sent;
    return { pending: this.#live.status.unsaved + count, bytes, oldestMs };
  }

  get syncStatus(): SyncStatus {
    return this.#teller.syncStatus;
  }

  /** Whether the browser keeps what is stored here when the disk gets full; `undefined` until it has said. */
  get persisted(): boolean | undefined {
    return this.#engine.isPersisted;
  }

  /** Resolves when the document shows what is stored here. @throws HeddleError what that failed with. */
  whenLoaded(): Promise<void> {
    return this.#live.whenLoaded();
  }

  /** Resolves when every edit so far is on this device. @throws HeddleError when it cannot be. */
  async whenSaved(): Promise<void> {
    await this.#live.whenSaved();
    // In a tab beside the one that stores, it has to get there.
    while (this.#live.status.state === "saved" && this.saved === false) await this.#whenChanged();
    this.#teller.now();
  }

  /** Resolves when everything that was typed by now is on a relay's disk. @throws HeddleError */
  async whenRelayed(): Promise<void> {
    await this.#live.whenSaved();
    while (this.outbox.pending > 0 && this.#destroying === undefined) await this.#whenChanged();
    this.#teller.now();
  }

  connect(): void {
    this.#steer(true);
  }

  disconnect(): void {
    this.#steer(false);
  }

  /** Saves what was typed, and lets go. What could not be saved is in the log and in `failed`. */
  override destroy(): void {
    void this.whenDestroyed();
  }

  /** As {@link destroy}; resolves when it is done. */
  whenDestroyed(): Promise<void> {
    this.#destroying ??= this.#destroy();
    return this.#destroying;
  }

  onStockServer(): void {
    if (this.#stock) return;
    const { protocols = [], WebSocketPolyfill, resyncInterval, maxBackoffTime } = this.#options;
    this.#stock = new StockConnection({
      serverUrl: this.serverUrl,
      roomname: this.roomname,
      ydoc: this.doc,
      awareness: this.awareness,
      params: this.params,
      protocols,
      WebSocket: WebSocketPolyfill,
      resyncInterval: resyncInterval ?? -1,
      maxBackoffTime: maxBackoffTime ?? 2_500,
      connect: this.shouldConnect,
      onOpened: (provider) => {
        provider.on("status", (event) => this.emit("status", [event]));
        provider.on("sync", (isSynced: boolean) => this.#setSynced(isSynced));
        provider.on("connection-close", (event) => this.emit("connection-close", [event, this]));
      },
    });
    this.#engine.changed();
  }

  onConnectionFailed(error: HeddleError): void {
    if (this.isOnline) this.emit("connection-error", [{ error }, this]);
  }

  onConnectionClosed({ closeCode, reason, wasPolite }: ConnectionEnd): void {
    const event = { code: closeCode, reason, wasClean: wasPolite };
    if (this.#stock === undefined) this.emit("connection-close", [event, this]);
  }

  #follow(): void {
    const live = this.#live;
    this.#stops.push(
      live.on("status", (status) => this.#onLiveStatus(status)),
      live.on("reset", (event) => this.emit("reset", [event])),
      live.on("refused", (event) => this.emit("refused", [event])),
    );
    this.#engine.opening.then(
      ({ peers }) => {
        if (!peers || this.#destroying !== undefined) return;
        this.#stops.push(peers.on("sync", (event) => this.#onSyncEvent(event)));
        this.onChange();
      },
      () => this.#teller.now(),
    );
  }

  /** For the engine. */
  flush(): void {
    this.#live.flush();
  }

  /** For the engine: where the connection stands, what is settled and what waits may be another. */
  onChange(): void {
    const { side } = this.#engine;
    if (side === undefined || this.#destroying !== undefined) return;
    const { name, code } = side.relay;
    const wasRefused = this.#connection === "refused";
    this.#onConnection(name);
    if (name === "refused" && !wasRefused && this.isOnline) {
      this.emit("closed", [{ code: code ?? 0, reason: "" }, this]);
    }
    if (this.#stock === undefined && this.wsconnected && side.isSettled(this.#documentId)) {
      this.#setSynced(true);
    }
    for (const wake of this.#waiting.splice(0)) wake();
    this.#teller.soon();
  }

  #whenChanged(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #onConnection(name: DialerStateName): void {
    const before = this.#statusName;
    this.#connection = name;
    const status = this.#statusName;
    if (status === before || this.#stock) return;
    if (status !== "connected") this.#setSynced(false);
    else this.#renewPresence();
    this.emit("status", [{ status }]);
    this.#teller.now();
  }

  /** A new clock, so that those who were told of our leaving with the old connection take us again. */
  #renewPresence(): void {
    const { awareness } = this;
    if (awareness.getLocalState() !== null) awareness.setLocalState(awareness.getLocalState());
  }

  get #statusName(): "connecting" | "connected" | "disconnected" {
    if (this.wsconnected) return "connected";
    return this.wsconnecting ? "connecting" : "disconnected";
  }

  #onSyncEvent(event: SyncEvent): void {
    if (!("document" in event) || event.document !== this.#documentId) {
      const isRefusal = event.name === "lane.refused";
      if (!isRefusal || event.refusal.document !== this.#documentId) return;
      return this.emit("refused", [event.refusal]);
    }
    if (event.name === "document.drifted") this.emit("drift", [event]);
  }

  #setSynced(isSynced: boolean): void {
    if (this.#synced === isSynced) return;
    this.#synced = isSynced;
    this.emit("synced", [isSynced]);
    this.emit("sync", [isSynced]);
    this.#teller.now();
  }

  #newTeller(): ProgressTeller {
    return new ProgressTeller({
      scheduler: this.#engine.environment.scheduler,
      read: () => ({
        saved: this.saved,
        outbox: this.outbox,
        isConnected: this.wsconnected,
        isSynced: this.#synced,
        lastMessageMs: this.#engine.link.lastMessageMs,
      }),
      onSaved: (saved) => this.emit("saved", [saved]),
      onOutbox: (outbox) => this.emit("outbox", [outbox]),
      onSyncStatus: (status) => this.emit("sync-status", [status]),
    });
  }

  #onLiveStatus({ state, error }: LiveStatus): void {
    this.#teller.soon();
    for (const wake of this.#waiting.splice(0)) wake();
    const isTrouble = state === "failed" || state === "suspended";
    if (!isTrouble || error === undefined || this.#trouble === error) return;
    this.#trouble = error;
    this.emit(state, [error]);
  }

  #steer(shouldConnect: boolean): void {
    const before = this.#statusName;
    this.shouldConnect = shouldConnect;
    if (this.shouldConnect) this.#stock?.connect();
    else this.#stock?.disconnect();
    this.#live.setShared(this.shouldConnect && this.#stock === undefined);
    // What the others share goes on in a session that knows nothing of this document.
    if (!this.shouldConnect) this.#engine.side?.hangUp();
    this.#engine.changed();
    const status = this.#statusName;
    if (this.#stock || status === before) return;
    if (status !== "connected") this.#setSynced(false);
    this.emit("status", [{ status }]);
  }

  async #destroy(): Promise<void> {
    this.#stock?.destroy();
    try {
      await this.#live.close();
    } catch (error) {
      const { logger = silent } = this.#options;
      logger.error("provider.unsaved", { room: this.roomname, error: String(error) });
      this.emit("failed", [error as HeddleError]);
    }
    this.#teller.stop();
    for (const wake of this.#waiting.splice(0)) wake();
    for (const stop of this.#stops) stop();
    this.shouldConnect = false;
    this.#engine.leave(this);
    super.destroy();
  }
}

function engineOf(serverUrl: string, options: HeddleProviderOptions): SharedEngine {
  const { store: given } = options;
  const name = given ? (given.directory ?? given.name) : storeNameOf(serverUrl);
  const { protocols = [], getToken, logger = silent, WebSocketPolyfill, persist = true } = options;
  const engineOptions = {
    serverUrl,
    store: given ?? platform.defaultStore(storeNameOf(serverUrl)),
    protocols,
    WebSocket: WebSocketPolyfill as WebSocketConstructor | undefined,
    getToken,
    persist,
    logger,
  };
  return SharedEngine.of(engineOptions, name);
}

/** One store for each server: what was typed for one is not for another. */
function storeNameOf(serverUrl: string): string {
  const { host, pathname } = new URL(serverUrl);
  return `${host}${pathname === "/" ? "" : pathname}`.slice(0, 128);
}

function withoutSlashes(url: string): string {
  return url.replace(/\/+$/, "");
}
