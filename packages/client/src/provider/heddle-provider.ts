import {
  documentIdOf,
  type DocumentId,
  type DocumentName,
  type HeddleError,
} from "@heddle/core/base";
import type { YDoc } from "@heddle/document";
import type { LiveDocument, LiveReplica, LiveStatus } from "@heddle/replica";
import type { WaitOptions } from "@heddle/replica/live";
import type { ConnectionEnd } from "@heddle/sync";
import { ObservableV2 } from "lib0/observable";
import { encodeQueryParams } from "lib0/url";
import type { Awareness } from "y-protocols/awareness";

import { consoleLogger } from "../console-logger.ts";
import { nothingWaits } from "../engine/engine-view.ts";
import type { EngineUser, SharedEngine } from "../engine/shared-engine.ts";
import type { WebSocketLike } from "../web-socket-like.ts";
import { isTransient } from "./connection-events.ts";
import { DocumentProgress, outboxOf } from "./document-progress.ts";
import { engineOf } from "./engine-of.ts";
import { followReplica } from "./follow-replica.ts";
import { ProviderConnection } from "./provider-connection.ts";
import { tellerOf, type ProgressTeller } from "./progress-teller.ts";
import type { HeddleProviderEvents, Outbox, Saved, SyncStatus } from "./provider-events.ts";
import { assertHasMembers, memberIn, type ProviderMember } from "./provider-member.ts";
import type { HeddleProviderOptions, ShouldReconnect } from "./provider-options.ts";
import { documentOfRoom, serverAddress } from "./server-address.ts";
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
  /** For a stock server only, as documents share one way to a relay. */
  protocols: string[];
  readonly disableBc: boolean;
  /** Handlers by message type, for a stock server: frames of a relay are not extended. */
  readonly messageHandlers: MessageHandlers = [];
  #maxBackoffTime: number | undefined;
  readonly #options: HeddleProviderOptions;
  readonly #engine: SharedEngine;
  readonly #live: LiveDocument;
  readonly #documentId: DocumentId;
  readonly #stops: (() => void)[] = [];
  readonly #connection: ProviderConnection;
  /** What is heard of the replica. */
  #stopSide: (() => void) | undefined;
  readonly #progress: DocumentProgress;
  readonly #teller: ProgressTeller;
  #trouble: HeddleError | undefined;
  #destroying: Promise<void> | undefined;
  /** Destroyed while it was online. */
  #isSendingLast = false;

  /**
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED` when `roomname` cannot be the name of a document,
   * `HEDDLE_CONFIG_INVALID` when `serverUrl` is no address of a WebSocket, and for a space at a server that is
   * said to speak y-websocket only.
   */
  constructor(serverUrl: string, roomname: string, doc: YDoc, options: HeddleProviderOptions = {}) {
    super();
    this.serverUrl = serverUrl.replace(/\/+$/, "");
    this.roomname = roomname;
    this.doc = doc;
    this.params = options.params ?? {};
    this.protocols = options.protocols ?? [];
    this.shouldConnect = options.connect ?? true;
    this.shouldReconnect = options.shouldReconnect ?? isTransient;
    this.#maxBackoffTime = options.maxBackoffTime;
    this.disableBc = options.disableBc ?? false;
    this.#options = options;
    assertHasMembers(options);
    // Before there is an engine, which nobody would let go of.
    const name = documentOfRoom(roomname);
    this.#engine = engineOf(serverAddress(this.serverUrl), options);
    const { awareness } = options;
    this.#live = this.#engine.document({ name, ydoc: doc, awareness, origin: this });
    this.awareness = this.#live.awareness;
    this.#documentId = this.#idOf(name);
    this.#progress = new DocumentProgress(this.#engine, this.#live, this.#documentId);
    this.#connection = this.#newConnection();
    this.#teller = tellerOf(this, this.#engine);
    // Before the engine is followed, which has given the server up where it speaks nothing else.
    if (options.wire === "y-websocket" || this.#engine.isStockServer) this.onStockServer();
    this.#follow();
    this.#engine.join(this);
  }

  get url(): string {
    const query = encodeQueryParams(this.params);
    return `${this.serverUrl}/${this.roomname}${query && `?${query}`}`;
  }

  /**
   * The longest wait before another attempt, in milliseconds. At a relay the least that one of its providers asks
   * for holds; where none does, the way to it has bounds of its own.
   */
  get maxBackoffTime(): number {
    return this.#maxBackoffTime ?? 2_500;
  }

  set maxBackoffTime(ms: number) {
    this.#maxBackoffTime = ms;
  }

  /** For the engine. */
  get backoffMsMax(): number | undefined {
    return this.#maxBackoffTime;
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
    return this.#progress.saved;
  }

  get outbox(): Outbox {
    return this.#progress.outbox;
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
    const id = this.#idOf(documentOfRoom(roomname));
    return outboxOf(this.#engine.side?.waitingOf(id) ?? nothingWaits, 0);
  }

  /** For the engine. */
  get documentName(): DocumentName {
    return this.#live.name;
  }

  /** For the engine. */
  get unsaved(): number {
    return this.#progress.unsaved;
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

  /**
   * What this device is in the space: its key, which an admin grants a role, and the role that it is known to have.
   * Resolves when the store is open; to `undefined` in the open space.
   *
   * @throws HeddleError what the store could not be opened with.
   */
  async membership(): Promise<ProviderMember | undefined> {
    return memberIn(await this.#engine.opened);
  }

  /** Resolves when the document shows what is stored here. @throws HeddleError what that failed with. */
  whenLoaded(options?: WaitOptions): Promise<void> {
    return this.#live.whenLoaded(options);
  }

  /** Resolves when every edit so far is on this device. @throws HeddleError when it cannot be. */
  async whenSaved(options: WaitOptions = {}): Promise<void> {
    await this.#progress.whenSaved(options);
    this.#teller.now();
  }

  /**
   * Resolves when everything that was typed by now is on a relay's disk.
   *
   * @throws HeddleError as {@link whenSaved}; `HEDDLE_STORAGE_CLOSED` when the provider was destroyed before.
   */
  async whenRelayed(options: WaitOptions = {}): Promise<void> {
    await this.#progress.whenRelayed(options);
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
  onSide(replica: LiveReplica): void {
    if (!replica.peers || this.#destroying !== undefined) return;
    this.#stopSide?.();
    this.#stopSide = followReplica(replica, this.#documentId, {
      onRefused: (refusal) => this.emit("refused", [refusal]),
      onDrift: (report) => this.emit("drift", [report]),
    });
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

  /** For the engine. */
  onChange(): void {
    if (this.#destroying !== undefined) return;
    if (this.#engine.side === undefined) return this.#teller.soon();
    this.#connection.follow();
    this.#progress.changed();
    this.#teller.soon();
  }

  /** For the engine. */
  onDeviceOutbox(): void {
    this.emit("device-outbox", [this.deviceOutbox]);
  }

  #idOf(name: DocumentName): DocumentId {
    const { hash } = this.#engine.environment;
    return documentIdOf(hash, this.#engine.space, name);
  }

  #newConnection(): ProviderConnection {
    return new ProviderConnection({
      provider: this,
      engine: this.#engine,
      document: this.#documentId,
      stock: this.#options,
      setShared: (isShared) => this.#live.setShared(isShared),
      onConnected: () => this.#renewPresence(),
      onChange: () => this.#teller.now(),
    });
  }

  /** A new clock, so that those who were told of our leaving with the old connection take us again. */
  #renewPresence(): void {
    const { awareness } = this;
    if (awareness.getLocalState() !== null) awareness.setLocalState(awareness.getLocalState());
  }

  #onLiveStatus({ state, error }: LiveStatus): void {
    this.#teller.soon();
    this.#engine.progressed();
    this.#progress.changed();
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
      const { logger = consoleLogger } = this.#options;
      logger.error("provider.unsaved", { room: this.roomname, error: String(error) });
      this.emit("failed", [error as HeddleError]);
    }
    this.#teller.stop();
    this.#progress.end();
    for (const stop of this.#stops) stop();
    this.#stopSide?.();
    this.#engine.leave(this, this.#live);
    super.destroy();
  }
}
