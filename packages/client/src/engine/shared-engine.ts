import { platform } from "#platform";
import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  type DocumentName,
  type Environment,
  openSpaceId,
  type Logger,
  type SpaceId,
} from "@heddle/core/base";
import type { LiveReplica } from "@heddle/replica";
import type { LiveDocument } from "@heddle/replica/live";
import type { ConnectionEnd } from "@heddle/sync";
import { encodeQueryParams } from "lib0/url";

import { memoryStore } from "../platform/memory-store.ts";
import type { ReplicaStore } from "../platform/platform.ts";
import type { WebSocketConstructor } from "../web-socket-transport.ts";
import { DeviceOutbox, type DeviceWaiting } from "./device-outbox.ts";
import { EngineDocuments, type OpenedDocument } from "./engine-documents.ts";
import { nothingWaits, type EngineSide } from "./engine-view.ts";
import type { Keeper } from "./keeper.ts";
import { loadSides } from "./load-sides.ts";
import { pauseMs } from "./pause.ts";
import { RelayLink } from "./relay-link.ts";
import type { Standby } from "./standby.ts";

export interface EngineOptions {
  readonly serverUrl: string;
  readonly store: ReplicaStore;
  /** The space that the documents are of; `undefined` for the open space. */
  readonly member: { readonly genesis: Uint8Array; readonly space: SpaceId } | undefined;
  readonly protocols: readonly string[];
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly getToken: (() => string | Promise<string>) | undefined;
  /** Nobody asked for that store: without it the page goes on in memory. */
  readonly isDefaultStore: boolean;
  /** Ask the platform not to clear the store. */
  readonly persist: boolean;
  readonly logger: Logger;
}

/** One of those who use an engine: a provider. */
export interface EngineUser {
  /** For the address of the server, as they are at the moment. */
  readonly params: Readonly<Record<string, string>>;
  /** Whether it wants a connection. */
  readonly isOnline: boolean;
  /** The longest that it wants to wait for another attempt, in ms; `undefined` when it does not say. */
  readonly backoffMsMax: number | undefined;
  /** Of its document. */
  readonly documentName: DocumentName;
  /** Transactions that are not on this device yet. */
  readonly unsaved: number;
  /** Seals what was typed. */
  flush(): void;
  onStockServer(): void;
  /** Something of the engine's side has changed. */
  onChange(): void;
  /** {@link SharedEngine.deviceWaiting} has changed. */
  onDeviceOutbox(): void;
  onConnectionFailed(error: HeddleError): void;
  /** `wasHere` when this side closed. */
  onConnectionClosed(end: ConnectionEnd, wasHere: boolean): void;
  /** The replica is open, or another one than before. */
  onSide(replica: LiveReplica): void;
  onStoreError(error: HeddleError): void;
}

/** An engine that nobody uses stays for so long: pages close one view and open the next. */
const lingerMs = 2_000;
/** While there is something to send it stays longer, up to here. */
const lingerTimes = 15;

const engines = new Map<string, SharedEngine>();
const storeNumbers = new WeakMap<ReplicaStore, number>();
let stores = 0;

/** Replica, store and connection behind all providers of one server and one store in this page. */
export class SharedEngine {
  readonly environment: Environment;
  readonly link: RelayLink;
  /** The server turned out to speak y-websocket only. */
  isStockServer = false;
  /** Whether the platform keeps the store when the disk gets full; `undefined` until it has said. */
  isPersisted: boolean | undefined;
  /** Why nothing is kept, or what was kept is gone; `undefined` while all is well. */
  storeError: HeddleError | undefined;
  /** Once the replica is open; another one when the store was lost to this page. */
  side: EngineSide | undefined;
  readonly #options: EngineOptions;
  readonly #key: string;
  readonly #users = new Set<EngineUser>();
  readonly #documents: EngineDocuments;
  readonly #deviceOutbox = new DeviceOutbox(
    () => this.deviceWaiting,
    () => this.#each((user) => user.onDeviceOutbox()),
  );
  readonly #stopHidden: () => void;
  readonly #stopResumed: () => void;
  readonly #stopShown: () => void;
  #opened: Promise<EngineSide>;
  /** In a tab that is not the one to store. */
  #standby: Standby | undefined;
  /** There was a side before. */
  #wasOpen = false;
  #isEnding = false;
  #cancelEnd: (() => void) | undefined;
  /** The last user has left, and was online. */
  #isSendingLast = false;
  #closed: Promise<void> | undefined;

  private constructor(key: string, options: EngineOptions, before: Promise<void> | undefined) {
    this.#key = key;
    this.#options = options;
    const { logger, protocols, WebSocket, getToken } = options;
    this.environment = platform.environment(logger);
    this.link = new RelayLink({
      address: () => this.#address,
      protocols,
      WebSocket,
      getToken,
      scheduler: this.environment.scheduler,
      backoffMsMax: () => this.#backoffMsMax,
      onStockServer: () => this.#onStockServer(),
      onFailed: (error) => this.#each((user) => user.onConnectionFailed(error)),
      onClosed: (end, wasHere) => this.#each((user) => user.onConnectionClosed(end, wasHere)),
    });
    this.#stopHidden = platform.onHidden(() => this.#each((user) => user.flush()));
    this.#stopResumed = platform.onResumed(() => {
      this.side?.resumed();
      this.#standby?.resumed();
    });
    // Whoever looks at it now is not to wait for a time that was chosen while nobody did.
    this.#stopShown = platform.onShown(() => this.side?.retry());
    this.#documents = new EngineDocuments(this.environment);
    this.#opened = this.#open(before);
    // Whoever waits for it is told; nobody may be waiting yet.
    this.#opened.catch((error: unknown) => {
      this.#changed();
      logger.error("engine.not_opened", { error: String(error) });
    });
  }

  /** The one of that server and store, made on first use. */
  static of(options: EngineOptions, storeName: string | undefined): SharedEngine {
    const store = storeName ?? numberOf(options.store);
    const key = `${options.serverUrl} ${options.member?.space ?? ""} ${store}`;
    const known = engines.get(key);
    if (known !== undefined && known.#closed === undefined) return known;
    const engine = new SharedEngine(key, options, known && known.#closed);
    engines.set(key, engine);
    return engine;
  }

  /** The live document of that name; presence goes with it. */
  document(opened: OpenedDocument): LiveDocument {
    return this.#documents.open(opened, this.#opened);
  }

  /** @throws HeddleError what the replica could not be opened with. */
  get opened(): Promise<EngineSide> {
    return this.#opened;
  }

  join(user: EngineUser): void {
    this.#users.add(user);
    this.#isSendingLast = false;
    this.#cancelEnd?.();
    this.#cancelEnd = undefined;
    this.#steer();
  }

  /** It is to be called after every change of what a user says of itself, too. */
  changed(): void {
    this.#steer();
  }

  /** Of all documents of the store, open or not. */
  get deviceWaiting(): DeviceWaiting {
    const unsaved = [...this.#users].reduce((sum, user) => sum + user.unsaved, 0);
    return { ...(this.side?.waiting ?? nothingWaits), unsaved };
  }

  /** For users: what they have saved may have changed. */
  progressed(): void {
    this.#deviceOutbox.soon();
  }

  /** @param live of the user, closed: it is not exchanged any more once a relay has all of it. */
  leave(user: EngineUser, live: LiveDocument): void {
    this.#users.delete(user);
    // What was saved last is in the outbox a moment later.
    this.environment.scheduler.after(lingerMs, () => {
      this.#documents.letGo(live);
      this.#changed();
    });
    // What was typed last may be on its way.
    this.#isSendingLast = this.#users.size === 0 && user.isOnline;
    this.#steer();
    if (this.#users.size === 0) this.#endSoon(0);
  }

  /** That its documents are of. */
  get space(): SpaceId {
    return this.#options.member?.space ?? openSpaceId(this.environment.hash);
  }

  /** Whether tabs of the profile meet here. */
  get hasTabs(): boolean {
    return platform.hasTabs && this.#options.store.name !== undefined;
  }

  async #open(before: Promise<void> | undefined): Promise<EngineSide> {
    await before;
    const side = await this.#enter();
    if (this.#options.persist) void this.#persist();
    return side;
  }

  async #enter(): Promise<EngineSide> {
    const side = await this.#openSide();
    this.side = side;
    this.#wasOpen = true;
    this.#steer();
    this.#each((user) => user.onSide(side.replica));
    this.#changed();
    return side;
  }

  async #openSide(): Promise<EngineSide> {
    const { store, member } = this.#options;
    const { environment, link } = this;
    const genesis = member?.genesis;
    const tabs = this.hasTabs ? `heddle-tabs:${store.name}` : undefined;
    const onChange = (): void => this.#changed();
    const names = (): string[] => [...this.#users].map(({ documentName }) => documentName);
    const keeping = { environment, store, genesis, link, names, onChange };
    const { Keeper, Standby, TabReplica } = await loadSides();
    try {
      return this.#watched(await Keeper.open({ ...keeping, tabs }));
    } catch (error) {
      const isLocked = isHeddleError(error, HeddleErrorCode.storageLocked);
      if (!isLocked && this.#maySwitchToMemory(error)) {
        // Where nothing can be kept a page can still work with a server, as long as it says so.
        this.#tellStore(error);
        return Keeper.open({ ...keeping, store: memoryStore(), tabs: undefined });
      }
      if (tabs === undefined || !isLocked) throw error;
    }
    const tab = await TabReplica.open({ environment, store, genesis, tabs, names, onChange });
    const onTrouble = (error: HeddleError | undefined): void => this.#tellStore(error);
    this.#standby = new Standby({ keeping: { ...keeping, tabs }, onTrouble });
    return tab;
  }

  /** Where documents were kept here before, they stay until they can be: that is tried again. */
  #maySwitchToMemory(error: unknown): error is HeddleError {
    if (!this.#options.isDefaultStore || !isHeddleError(error)) return false;
    return !this.#wasOpen || error.code === HeddleErrorCode.storageUnavailable;
  }

  #watched(keeper: Keeper): Keeper {
    if (keeper.wasEvicted) this.#tellStore(evictedBefore());
    void keeper.whenLost.then((error) => {
      if (this.side === keeper && !this.#isEnding) this.#startAgain(keeper, error);
    });
    return keeper;
  }

  /** The store is another's, or gone: the documents of this page go on beside it, or in a new one. */
  #startAgain(lost: Keeper, error: HeddleError): void {
    this.#options.logger.warn("engine.store_lost", { code: error.code });
    if (error.code === HeddleErrorCode.storageEvicted) this.#tellStore(error);
    this.side = undefined;
    this.#opened = this.#reopen(lost);
    this.#opened.catch((cause: unknown) => {
      this.#options.logger.error("engine.not_opened", { error: String(cause) });
    });
    this.#documents.moveTo(this.#opened);
  }

  async #reopen(lost: Keeper): Promise<EngineSide> {
    // The documents leave first.
    await Promise.resolve();
    try {
      await lost.close();
    } catch (error) {
      this.#options.logger.warn("engine.not_closed", { error: String(error) });
    }
    for (let failures = 1; ; failures++) {
      try {
        return await this.#enter();
      } catch (error) {
        this.#tellStore(error as HeddleError);
        if (this.#isEnding || !isHeddleError(error)) throw error;
        await new Promise<void>((resolve) => {
          this.environment.scheduler.after(pauseMs(failures), resolve);
        });
      }
    }
  }

  #tellStore(error: HeddleError | undefined): void {
    this.storeError = error;
    if (error === undefined) return;
    this.#options.logger.error("engine.store_in_trouble", { error: String(error) });
    this.#each((user) => user.onStoreError(error));
  }

  async #persist(): Promise<void> {
    try {
      this.isPersisted = await platform.persist();
    } catch (error) {
      this.isPersisted = false;
      this.#options.logger.warn("engine.not_persisted", { error: String(error) });
    }
    this.#changed();
  }

  /** With the parameters of all; where two differ, those of the provider that is there longer. */
  get #address(): string {
    const params = [...this.#users].map((user) => user.params);
    const query = encodeQueryParams(Object.assign({}, ...params.toReversed()));
    return this.#options.serverUrl + (query && `?${query}`);
  }

  get #backoffMsMax(): number | undefined {
    const said = [...this.#users].flatMap(({ backoffMsMax }) => backoffMsMax ?? []);
    return said.length > 0 ? Math.min(...said) : undefined;
  }

  /** There is a connection while somebody wants one, and the network is there. */
  #steer(): void {
    const isWanted = this.#isSendingLast || [...this.#users].some(({ isOnline }) => isOnline);
    this.side?.setOnline(isWanted && !this.isStockServer);
  }

  #changed(): void {
    this.progressed();
    if (this.side) this.#documents.review(this.side);

    this.#each((user) => user.onChange());
  }

  #onStockServer(): void {
    // It knows of no members: what is theirs is not for it, and dials go on failing with a code.
    if (this.#options.member) return;
    this.isStockServer = true;
    this.#steer();
    this.#each((user) => user.onStockServer());
  }

  #each(tell: (user: EngineUser) => void): void {
    for (const user of this.#users) tell(user);
  }

  #endSoon(waited: number): void {
    this.#cancelEnd?.();
    this.#cancelEnd = this.environment.scheduler.after(lingerMs, () => {
      const outbox = this.side?.replica.outbox;
      const isSending = (outbox?.envelopes ?? 0) > 0 && waited < lingerTimes;
      if (isSending) return this.#endSoon(waited + 1);
      this.#closed = this.#close();
    });
  }

  async #close(): Promise<void> {
    this.#isEnding = true;
    this.#stopHidden();
    this.#stopResumed();
    this.#stopShown();
    try {
      const side = await this.#opened;
      await side.close();
      await this.#standby?.end();
    } catch (error) {
      this.#options.logger.error("engine.not_closed", { error: String(error) });
    } finally {
      if (engines.get(this.#key) === this) engines.delete(this.#key);
    }
  }
}

function evictedBefore(): HeddleError {
  const message = "the browser has thrown away what was stored here before";
  return new HeddleError(HeddleErrorCode.storageEvicted, message);
}

function numberOf(store: ReplicaStore): number {
  const known = storeNumbers.get(store);
  if (known !== undefined) return known;
  storeNumbers.set(store, ++stores);
  return stores;
}
