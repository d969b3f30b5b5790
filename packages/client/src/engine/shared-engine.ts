import { platform } from "#platform";
import {
  documentIdOf,
  HeddleErrorCode,
  isHeddleError,
  type Environment,
  type HeddleError,
  type Logger,
} from "@heddle/core";
import type { YDoc } from "@heddle/document";
import type { LiveReplica } from "@heddle/replica";
import { connectPresence, LiveDocument } from "@heddle/replica/live";
import type { ConnectionEnd } from "@heddle/sync";
import { encodeQueryParams } from "lib0/url";
import type { Awareness } from "y-protocols/awareness";

import type { ReplicaStore } from "../platform/platform.ts";
import type { WebSocketConstructor } from "../web-socket-transport.ts";
import type { EngineSide } from "./engine-view.ts";
import type { Keeper, KeeperOptions } from "./keeper.ts";
import { loadSides } from "./load-sides.ts";
import { RelayLink } from "./relay-link.ts";

export interface EngineOptions {
  readonly serverUrl: string;
  readonly store: ReplicaStore;
  readonly protocols: readonly string[];
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly getToken: (() => string | Promise<string>) | undefined;
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
  /** Of its document. */
  readonly roomname: string;
  /** Seals what was typed. */
  flush(): void;
  onStockServer(): void;
  /** Something of the engine's side has changed. */
  onChange(): void;
  onConnectionFailed(error: HeddleError): void;
  /** `wasHere` when this side closed. */
  onConnectionClosed(end: ConnectionEnd, wasHere: boolean): void;
}

export interface OpenedDocument {
  readonly name: string;
  readonly ydoc: YDoc;
  readonly awareness: Awareness | undefined;
  readonly origin: object;
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
  readonly opening: Promise<LiveReplica>;
  /** The server turned out to speak y-websocket only. */
  isStockServer = false;
  /** Whether the platform keeps the store when the disk gets full; `undefined` until it has said. */
  isPersisted: boolean | undefined;
  /** Once the replica is open. */
  side: EngineSide | undefined;
  readonly #options: EngineOptions;
  readonly #key: string;
  readonly #users = new Set<EngineUser>();
  readonly #stopHidden: () => void;
  readonly #ending = new AbortController();
  /** In a tab that was not the one to store at first, and has become it. */
  #keeper: Promise<Keeper | undefined> | undefined;
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
      onStockServer: () => this.#onStockServer(),
      onFailed: (error) => this.#each((user) => user.onConnectionFailed(error)),
      onClosed: (end, wasHere) => this.#each((user) => user.onConnectionClosed(end, wasHere)),
    });
    this.#stopHidden = platform.onHidden(() => this.#each((user) => user.flush()));
    this.opening = this.#open(before);
    // Whoever waits for it is told; nobody may be waiting yet.
    this.opening.catch((error: unknown) => {
      logger.error("engine.not_opened", { error: String(error) });
    });
  }

  /** The one of that server and store, made on first use. */
  static of(options: EngineOptions, storeName: string | undefined): SharedEngine {
    const key = `${options.serverUrl} ${storeName ?? numberOf(options.store)}`;
    const known = engines.get(key);
    if (known !== undefined && known.#closed === undefined) return known;
    const engine = new SharedEngine(key, options, known && known.#closed);
    engines.set(key, engine);
    return engine;
  }

  /** The live document of that name; presence goes with it. */
  document({ name, ydoc, awareness, origin }: OpenedDocument): LiveDocument {
    const { environment } = this;
    const live = new LiveDocument({
      home: this.opening,
      environment,
      name,
      ydoc,
      awareness,
      origin,
    });
    this.opening.then(
      ({ peers, replica }) => {
        if (!peers || live.status.state === "closed") return;
        connectPresence(live, documentIdOf(environment.hash, replica.space, live.name), peers);
      },
      () => undefined, // The document itself says that its replica could not be opened.
    );
    return live;
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

  leave(user: EngineUser): void {
    this.#users.delete(user);
    // What was typed last may be on its way.
    this.#isSendingLast = this.#users.size === 0 && user.isOnline;
    this.#steer();
    if (this.#users.size === 0) this.#endSoon(0);
  }

  /** Whether tabs of the profile meet here. */
  get hasTabs(): boolean {
    return platform.hasTabs && this.#options.store.name !== undefined;
  }

  async #open(before: Promise<void> | undefined): Promise<LiveReplica> {
    await before;
    this.side = await this.#openSide();
    if (this.#options.persist) void this.#persist();
    this.#steer();
    this.#changed();
    return this.side.replica;
  }

  async #openSide(): Promise<EngineSide> {
    const { store } = this.#options;
    const { environment, link } = this;
    const tabs = this.hasTabs ? `heddle-tabs:${store.name}` : undefined;
    const onChange = (): void => this.#changed();
    const names = (): string[] => [...this.#users].map(({ roomname }) => roomname);
    const keeping: KeeperOptions = { environment, store, link, tabs, names, onChange };
    const { Keeper, TabReplica } = await loadSides();
    try {
      return await Keeper.open(keeping);
    } catch (error) {
      const isLocked = isHeddleError(error, HeddleErrorCode.storageLocked);
      if (tabs === undefined || !isLocked) throw error;
    }
    const tab = await TabReplica.open({ environment, store, tabs, names, onChange });
    this.#keeper = this.#keepWhenFree({ ...keeping, untilFree: this.#ending.signal });
    return tab;
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

  /** The documents of this page stay where they are; beside them it stores, for all tabs. */
  async #keepWhenFree(options: KeeperOptions): Promise<Keeper | undefined> {
    try {
      const { Keeper } = await loadSides();
      const keeper = await Keeper.open(options);
      this.environment.logger.info("engine.keeps");
      return keeper;
    } catch (error) {
      if (this.#ending.signal.aborted) return undefined;
      this.#options.logger.error("engine.not_keeping", { error: String(error) });
      return undefined;
    }
  }

  /** With the parameters of all; where two differ, those of the provider that is there longer. */
  get #address(): string {
    const params = [...this.#users].map((user) => user.params);
    const query = encodeQueryParams(Object.assign({}, ...params.toReversed()));
    return this.#options.serverUrl + (query && `?${query}`);
  }

  /** There is a connection while somebody wants one, and the network is there. */
  #steer(): void {
    const isWanted = this.#isSendingLast || [...this.#users].some(({ isOnline }) => isOnline);
    this.side?.setOnline(isWanted && !this.isStockServer);
  }

  #changed(): void {
    this.#each((user) => user.onChange());
  }

  #onStockServer(): void {
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
    this.#stopHidden();
    try {
      await this.opening;
      await this.side?.close();
      this.#ending.abort();
      await (await this.#keeper)?.close();
    } catch (error) {
      this.#options.logger.error("engine.not_closed", { error: String(error) });
    } finally {
      if (engines.get(this.#key) === this) engines.delete(this.#key);
    }
  }
}

function numberOf(store: ReplicaStore): number {
  const known = storeNumbers.get(store);
  if (known !== undefined) return known;
  storeNumbers.set(store, ++stores);
  return stores;
}
