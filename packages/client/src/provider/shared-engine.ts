import { platform } from "#platform";
import { documentIdOf, type Environment, type HeddleError, type Logger } from "@heddle/core";
import type { YDoc } from "@heddle/document";
import {
  connectPresence,
  LiveDocument,
  openLiveReplica,
  type LivePeers,
  type LiveReplica,
} from "@heddle/replica";
import type { ConnectionEnd } from "@heddle/sync";
import type { Awareness } from "y-protocols/awareness";

import type { Durability, ReplicaStore } from "../platform/platform.ts";
import type { WebSocketConstructor } from "../web-socket-transport.ts";
import { RelayLink } from "./relay-link.ts";

export interface EngineOptions {
  readonly serverUrl: string;
  readonly store: ReplicaStore;
  readonly protocols: readonly string[];
  readonly WebSocket: WebSocketConstructor | undefined;
  readonly getToken: (() => string | Promise<string>) | undefined;
  readonly logger: Logger;
}

/** One of those who use an engine: a provider. */
export interface EngineUser {
  /** For the address of the server, as they are at the moment. */
  readonly query: string;
  /** Whether it wants a connection. */
  readonly isOnline: boolean;
  onStockServer(): void;
  onConnectionFailed(error: HeddleError): void;
  onConnectionClosed(end: ConnectionEnd): void;
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
  /** What a write survives here; `undefined` until the store is open. */
  durability: Durability | undefined;
  /** The server turned out to speak y-websocket only. */
  isStockServer = false;
  /** Once the replica is open. */
  peers: LivePeers | undefined;
  readonly #options: EngineOptions;
  readonly #key: string;
  readonly #users = new Set<EngineUser>();
  readonly #stopNetwork: () => void;
  #isNetworkThere = true;
  #cancelEnd: (() => void) | undefined;
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
      onClosed: (end) => this.#each((user) => user.onConnectionClosed(end)),
    });
    this.#stopNetwork = platform.onNetwork((isOnline) => {
      this.#isNetworkThere = isOnline;
      this.#steer();
    });
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
    this.#steer();
    if (this.#users.size === 0) this.#endSoon(0);
  }

  async #open(before: Promise<void> | undefined): Promise<LiveReplica> {
    await before;
    const { store: given, serverUrl } = this.#options;
    const { environment } = this;
    const store = await given.open(environment);
    this.durability = store.durability ?? "strict";
    const release = (): Promise<void> => store.close();
    try {
      const signer = await platform.deviceKey(given);
      const replica = await openLiveReplica({
        environment,
        store,
        signer,
        verifier: platform.verifier,
        peers: [{ name: serverUrl, transport: this.link }],
        release,
      });
      this.peers = replica.peers;
      this.#steer();
      return replica;
    } catch (error) {
      await release();
      throw error;
    }
  }

  get #address(): string {
    const user = [...this.#users].find(({ query }) => query !== "");
    return this.#options.serverUrl + (user ? `?${user.query}` : "");
  }

  /** There is a connection while somebody wants one, and the network is there. */
  #steer(): void {
    const isWanted = [...this.#users].some(({ isOnline }) => isOnline) && !this.isStockServer;
    this.peers?.setOnline(isWanted && this.#isNetworkThere);
    if (!isWanted) this.link.hangUp();
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
      const isSending = (this.peers?.outbox.envelopes ?? 0) > 0 && waited < lingerTimes;
      if (isSending) return this.#endSoon(waited + 1);
      this.#closed = this.#close();
    });
  }

  async #close(): Promise<void> {
    this.#stopNetwork();
    try {
      await (await this.opening).close();
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
