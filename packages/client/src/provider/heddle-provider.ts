import {
  documentIdOf,
  HeddleError,
  HeddleErrorCode,
  openSpaceId,
  parseDocumentName,
  type DocumentId,
} from "@heddle/core";
import type { YDoc } from "@heddle/document";
import type { LiveDocument, LiveReplica, LiveStatus } from "@heddle/replica";
import { waitUntil, type WaitOptions } from "@heddle/replica/live";
import type { ConnectionEnd, SyncEvent } from "@heddle/sync";
import { ObservableV2 } from "lib0/observable";
import { encodeQueryParams } from "lib0/url";
import type { Awareness } from "y-protocols/awareness";

import { nothingWaits, type Waiting } from "../engine/engine-view.ts";
import type { EngineUser, SharedEngine } from "../engine/shared-engine.ts";
import { silent } from "../silent-logger.ts";
import type { WebSocketLike } from "../web-socket-like.ts";
import { isTransient } from "./connection-events.ts";
import { engineOf } from "./engine-of.ts";
import { ProviderConnection } from "./provider-connection.ts";
import { ProgressTeller } from "./progress-teller.ts";
import type { HeddleProviderEvents, Outbox, Saved, SyncStatus } from "./provider-events.ts";
import type { HeddleProviderOptions, ShouldReconnect } from "./provider-options.ts";
import type { MessageHandlers } from "./stock-connection.ts";

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
  /** May be changed, as the four below it; what they are holds from the next dial on. */
  params: Record<string, string>;
  shouldConnect: boolean;
  shouldReconnect: ShouldReconnect;
  /** For a stock server only; so is `protocols`, as documents share one way to a relay. */
  maxBackoffTime: number;
  protocols: string[];
  readonly disableBc: boolean;
  /** Handlers by message type, for a stock server: frames of a relay are not extended. */
  readonly messageHandlers: MessageHandlers = [];
  readonly #options: HeddleProviderOptions;
  readonly #engine: SharedEngine;
  readonly #live: LiveDocument;
  readonly #documentId: DocumentId;
  readonly #stops: (() => void)[] = [];
  readonly #connection: ProviderConnection;
  #stopSync: (() => void) | undefined;
  readonly #teller: ProgressTeller;
  readonly #waiting = new Set<() => void>();
  #trouble: HeddleError | undefined;
  #destroying: Promise<void> | undefined;
  /** Destroyed while it was online. */
  #isSendingLast = false;

  /** @throws HeddleError `HEDDLE_FRAME_MALFORMED` when `roomname` cannot be the name of a document. */
  constructor(serverUrl: string, roomname: string, doc: YDoc, options: HeddleProviderOptions = {}) {
    super();
    this.serverUrl = serverUrl.replace(/\/+$/, "");
    this.roomname = roomname;
    this.doc = doc;
    this.params = options.params ?? {};
    this.protocols = options.protocols ?? [];
    this.shouldConnect = options.connect ?? true;
    this.shouldReconnect = options.shouldReconnect ?? isTransient;
    this.maxBackoffTime = options.maxBackoffTime ?? 2_500;
    this.disableBc = options.disableBc ?? false;
    this.#options = options;
    // Before there is an engine, which nobody would let go of.
    parseDocumentName(roomname);
    this.#engine = engineOf(this.serverUrl, options);
    const { awareness } = options;
    this.#live = this.#engine.document({ name: roomname, ydoc: doc, awareness, origin: this });
    this.awareness = this.#live.awareness;
    const { hash } = this.#engine.environment;
    this.#documentId = documentIdOf(hash, openSpaceId(hash), this.#live.name);
    this.#connection = this.#newConnection();
    this.#teller = this.#newTeller();
    this.#follow();
    this.#engine.join(this);
    if (options.wire === "y-websocket" || this.#engine.isStockServer) this.onStockServer();
  }

  get url(): string {
    const query = encodeQueryParams(this.params);
    return `${this.serverUrl}/${this.roomname}${query && `?${query}`}`;
  }

  /** For the engine. */
  get isOnline(): boolean {
    return (this.shouldConnect || this.#isSendingLast) && !this.#connection.isStock;
  }

  get wsconnected(): boolean {
    return this.#connection.fields.wsconnected;
  }

  get wsconnecting(): boolean {
    return this.#connection.fields.wsconnecting;
  }

  /**
   * The one that all documents of the server share; `null` while there is none, and in a tab beside the one
   * that has the connection.
   */
  get ws(): WebSocketLike | null {
    return this.#connection.fields.ws;
  }

  get wsUnsuccessfulReconnects(): number {
    return this.#connection.fields.wsUnsuccessfulReconnects;
  }

  /** In milliseconds of the wall clock; 0 before the first one. */
  get wsLastMessageReceived(): number {
    return this.#connection.fields.wsLastMessageReceived;
  }

  /** Whether the first exchange with the server is done, in this connection. */
  get synced(): boolean {
    return this.#connection.fields.synced;
  }

  /** A message handler may set it, at a stock server; at a relay it is what it is. */
  set synced(isSynced: boolean) {
    this.#connection.synced = isSynced;
  }

  /** What y-websocket calls the BroadcastChannel of its tabs; ours meet under the name of their store. */
  get bcChannel(): string {
    return `${this.serverUrl}/${this.roomname}`;
  }

  /** Whether other tabs of the profile are met without the server. */
  get bcconnected(): boolean {
    return this.shouldConnect && this.#engine.hasTabs;
  }

  get saved(): Saved {
    if (this.#live.status.state !== "saved") return false;
    return this.#engine.side?.durabilityOf(this.#documentId) ?? false;
  }

  get outbox(): Outbox {
    const sent = this.#engine.side?.waitingOf(this.#documentId) ?? nothingWaits;
    return outboxOf(sent, this.unsaved);
  }

  /** As {@link outbox}, of all documents of the store: also of those that are not open. */
  get deviceOutbox(): Outbox {
    const waiting = this.#engine.deviceWaiting;
    return outboxOf(waiting, waiting.unsaved);
  }

  /**
   * What is saved here and on no relay of another document of the same store, open or not.
   *
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED` when `roomname` cannot be the name of a document.
   */
  outboxOf(roomname: string): Outbox {
    const { hash } = this.#engine.environment;
    const id = documentIdOf(hash, openSpaceId(hash), parseDocumentName(roomname));
    return outboxOf(this.#engine.side?.waitingOf(id) ?? nothingWaits, 0);
  }

  /** For the engine. */
  get unsaved(): number {
    return this.#live.status.unsaved;
  }

  get syncStatus(): SyncStatus {
    return this.#teller.syncStatus;
  }

  /** Whether the browser keeps what is stored here when the disk gets full; `undefined` until it has said. */
  get persisted(): boolean | undefined {
    return this.#engine.isPersisted;
  }

  /** Why nothing is kept here, or what was kept is gone; `undefined` while all is well. See `store-error`. */
  get storeError(): HeddleError | undefined {
    return this.#engine.storeError;
  }

  /** Resolves when the document shows what is stored here. @throws HeddleError what that failed with. */
  whenLoaded(options?: WaitOptions): Promise<void> {
    return this.#live.whenLoaded(options);
  }

  /** Resolves when every edit so far is on this device. @throws HeddleError when it cannot be. */
  async whenSaved(options: WaitOptions = {}): Promise<void> {
    await this.#live.whenSaved(options);
    // In a tab beside the one that stores, it has to get there.
    while (this.#live.status.state === "saved" && this.saved === false) {
      await this.#whenChanged(options);
    }
    this.#teller.now();
  }

  /**
   * Resolves when everything that was typed by now is on a relay's disk.
   *
   * @throws HeddleError as {@link whenSaved}; `HEDDLE_STORAGE_CLOSED` when the provider was destroyed before.
   */
  async whenRelayed(options: WaitOptions = {}): Promise<void> {
    await this.#live.whenSaved(options);
    while (this.outbox.pending > 0) {
      if (this.#destroying !== undefined) throw destroyedBefore();
      await this.#whenChanged(options);
    }
    this.#teller.now();
  }

  connect(): void {
    this.shouldConnect = true;
    this.#connection.connect();
  }

  disconnect(): void {
    this.shouldConnect = false;
    this.#connection.disconnect();
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

  /** For the engine. */
  onStockServer(): void {
    this.#connection.onStockServer();
  }

  /** For the engine. */
  onConnectionFailed(error: HeddleError): void {
    this.#connection.onFailed(error);
  }

  /** For the engine. */
  onConnectionClosed(end: ConnectionEnd, wasHere: boolean): void {
    this.#connection.onClosed(end, wasHere);
  }

  #follow(): void {
    const live = this.#live;
    this.#stops.push(
      live.on("status", (status) => this.#onLiveStatus(status)),
      live.on("reset", (event) => this.emit("reset", [event])),
      live.on("refused", (event) => this.emit("refused", [event])),
    );
    const { side, opened } = this.#engine;
    if (side) this.onSide(side.replica);
    opened.catch(() => {
      this.#connection.onClosed(undefined, true);
      this.#teller.now();
    });
  }

  /** For the engine. */
  onSide({ peers }: LiveReplica): void {
    if (!peers || this.#destroying !== undefined) return;
    this.#stopSync?.();
    this.#stopSync = peers.on("sync", (event) => this.#onSyncEvent(event));
    this.onChange();
  }

  /** For the engine. */
  onStoreError(error: HeddleError): void {
    this.emit("store-error", [error]);
  }

  /** For the engine. */
  flush(): void {
    this.#live.flush();
  }

  /** For the engine: where the connection stands, what is settled and what waits may be another. */
  onChange(): void {
    if (this.#destroying !== undefined) return;
    if (this.#engine.side === undefined) return this.#teller.soon();
    this.#connection.follow();
    this.#wake();
    this.#teller.soon();
  }

  /** For the engine. */
  onDeviceOutbox(): void {
    this.emit("device-outbox", [this.deviceOutbox]);
  }

  #whenChanged(options: WaitOptions): Promise<void> {
    return waitUntil((resolve) => {
      this.#waiting.add(resolve);
      return () => this.#waiting.delete(resolve);
    }, options);
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  #newConnection(): ProviderConnection {
    const live = this.#live;
    return new ProviderConnection({
      provider: this,
      engine: this.#engine,
      document: this.#documentId,
      stock: this.#options,
      setShared: (isShared) => live.setShared(isShared),
      onConnected: () => this.#renewPresence(),
      onChange: () => this.#teller.now(),
    });
  }

  /** A new clock, so that those who were told of our leaving with the old connection take us again. */
  #renewPresence(): void {
    const { awareness } = this;
    if (awareness.getLocalState() !== null) awareness.setLocalState(awareness.getLocalState());
  }

  #onSyncEvent(event: SyncEvent): void {
    if (!("document" in event) || event.document !== this.#documentId) {
      const isRefusal = event.name === "lane.refused";
      if (!isRefusal || event.refusal.document !== this.#documentId) return;
      return this.emit("refused", [event.refusal]);
    }
    if (event.name === "document.drifted") this.emit("drift", [event]);
  }

  #newTeller(): ProgressTeller {
    return new ProgressTeller({
      scheduler: this.#engine.environment.scheduler,
      read: () => ({
        saved: this.saved,
        outbox: this.outbox,
        isConnected: this.wsconnected,
        isSynced: this.synced,
        lastMessageMs: this.#engine.link.lastMessageMs,
      }),
      onSaved: (saved) => this.emit("saved", [saved]),
      onOutbox: (outbox) => this.emit("outbox", [outbox]),
      onSyncStatus: (status) => this.emit("sync-status", [status]),
    });
  }

  #onLiveStatus({ state, error }: LiveStatus): void {
    this.#teller.soon();
    this.#engine.progressed();
    this.#wake();
    const isTrouble = state === "failed" || state === "suspended";
    if (!isTrouble || error === undefined || this.#trouble === error) return;
    this.#trouble = error;
    this.emit(state, [error]);
  }

  async #destroy(): Promise<void> {
    this.#isSendingLast = this.isOnline;
    this.shouldConnect = false;
    this.#connection.end();
    try {
      await this.#live.close();
    } catch (error) {
      const { logger = silent } = this.#options;
      logger.error("provider.unsaved", { room: this.roomname, error: String(error) });
      this.emit("failed", [error as HeddleError]);
    }
    this.#teller.stop();
    this.#wake();
    for (const stop of this.#stops) stop();
    this.#stopSync?.();
    this.#engine.leave(this);
    super.destroy();
  }
}

function outboxOf({ count, bytes, oldestMs }: Waiting, unsaved: number): Outbox {
  return { pending: unsaved + count, bytes, oldestMs };
}

function destroyedBefore(): HeddleError {
  const message = "the provider was destroyed before a relay had everything";
  return new HeddleError(HeddleErrorCode.storageClosed, message);
}
