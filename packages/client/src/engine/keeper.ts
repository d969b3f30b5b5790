import { platform } from "#platform";
import {
  HeddleErrorCode,
  isHeddleError,
  parseDocumentName,
  type DocumentEntry,
  type DocumentId,
  type Environment,
  type HeddleError,
} from "@heddle/core";
import {
  forwardPresence,
  openLiveReplica,
  type DialerState,
  type LivePeers,
  type LiveReplica,
} from "@heddle/replica";
import type { SyncEvent } from "@heddle/sync";

import {
  acceptBroadcastChannel,
  type BroadcastChannelAcceptor,
} from "../broadcast-channel-transport.ts";
import { deviceSigner } from "../device-signer.ts";
import type { Durability, OpenedStore, ReplicaStore, StoreClaim } from "../platform/platform.ts";
import { KeeperBeat } from "../tabs/keeper-beat.ts";
import { TabChannel, type KeeperMessage, type WantMessage } from "../tabs/tab-channel.ts";
import { nothingWaits, waitingTogether, type EngineSide, type Waiting } from "./engine-view.ts";
import { pauseMs } from "./pause.ts";
import type { RelayLink } from "./relay-link.ts";
import { retryWithin } from "./relay-retry.ts";

export interface KeeperOptions {
  readonly environment: Environment;
  readonly store: ReplicaStore;
  /** Of the space that the documents are of; `undefined` for the open space. */
  readonly genesis?: Uint8Array | undefined;
  readonly link: RelayLink;
  /** What tabs meet under; without it there is only this page or process. */
  readonly tabs: string | undefined;
  /** Of the documents that are shown in this page. */
  readonly names: () => readonly string[];
  /** Something that {@link EngineSide} shows has changed. */
  readonly onChange: () => void;
  /** How the store is asked for; by default it has to be free. */
  readonly claim?: StoreClaim;
}

interface OpenedKeeper {
  readonly replica: LiveReplica;
  readonly store: OpenedStore;
  readonly beat: KeeperBeat | undefined;
}

const relayName = "relay";
/** Tabs are told of changes this often at most. */
const tellMs = 40;

/** The one that has the store and the way to the relay, for all tabs of the origin or for a process. */
export class Keeper implements EngineSide {
  readonly isBeside = false;
  readonly replica: LiveReplica;
  readonly durability: Durability;
  /** The browser has thrown away what was stored before. */
  readonly wasEvicted: boolean;
  /** Resolves when the store is another's, or gone: nothing more can be written here. */
  readonly whenLost: Promise<HeddleError>;
  readonly #options: KeeperOptions;
  readonly #store: OpenedStore;
  readonly #beat: KeeperBeat | undefined;
  readonly #peers: LivePeers;
  readonly #settled = new Set<DocumentId>();
  /** Tabs that want a connection, or do not. */
  readonly #tabs = new Map<string, boolean>();
  readonly #namesOfTabs = new Set<string>();
  readonly #asked = new Map<string, number>();
  readonly #stops: (() => void)[] = [];
  /** For tabs, and for what waits: those that this page shows are wanted by their own live documents. */
  readonly #wanted = new Set<DocumentId>();
  /** By name: ends the wait for another try. */
  readonly #retries = new Map<string, () => void>();
  #channel: TabChannel | undefined;
  #isClosed = false;
  #acceptor: BroadcastChannelAcceptor | undefined;
  #isOnline = false;
  #isNetworkThere = true;
  #cancelTell: (() => void) | undefined;

  private constructor(options: KeeperOptions, { replica, store, beat }: OpenedKeeper) {
    this.#options = options;
    this.#store = store;
    this.#beat = beat;
    this.replica = replica;
    this.durability = store.durability ?? "strict";
    this.wasEvicted = store.wasEvicted ?? false;
    this.whenLost = store.whenLost ?? new Promise(() => undefined);
    this.#peers = replica.peers!;
    this.#stops.push(
      this.#peers.on("connection", ({ state }) => {
        if (state.name !== "live") this.#settled.clear();
        this.#changed();
      }),
      this.#peers.on("sync", (event) => this.#onSyncEvent(event)),
      platform.onNetwork((isThere) => {
        this.#isNetworkThere = isThere;
        this.#steer();
      }),
    );
    if (options.tabs !== undefined) this.#meetTabs(options.tabs);
  }

  /**
   * Opens the store and begins to keep.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`; `..._LOCKED` while another has the store.
   */
  static async open(options: KeeperOptions): Promise<Keeper> {
    const { environment, store: given, genesis, link, claim, tabs } = options;
    let beat: KeeperBeat | undefined;
    const onTaken = (): void => {
      claim?.onTaken?.();
      if (tabs !== undefined) beat = new KeeperBeat(tabs);
    };
    let opened: OpenedStore | undefined;
    const release = async (): Promise<void> => {
      beat?.stop();
      await opened?.close();
    };
    try {
      const store = (opened = await given.open(environment, { ...claim, onTaken }));
      const signer = await deviceSigner(given, store);
      const replica = await openLiveReplica({
        environment,
        store,
        signer,
        verifier: platform.verifier,
        genesis,
        peers: [{ name: relayName, transport: link, retry: () => retryWithin(link.backoffMsMax) }],
        // Whoever wants a connection says so; a dial that is given up at once would be noise.
        isOnline: false,
        // Tabs open what they show.
        adopt: tabs !== undefined,
        release,
      });
      const keeper = new Keeper(options, { replica, store, beat });
      await keeper.#wantWaiting(store);
      return keeper;
    } catch (error) {
      await release();
      throw error;
    }
  }

  get relay(): DialerState {
    return this.#peers.states.get(relayName) ?? { name: "idle" };
  }

  durabilityOf(): Durability {
    return this.durability;
  }

  waitingOf(document: DocumentId): Waiting {
    return this.#peers.outbox.byDocument.get(document) ?? nothingWaits;
  }

  get waiting(): Waiting {
    return waitingTogether(this.#peers.outbox.byDocument.values());
  }

  isSettled(document: DocumentId): boolean {
    return this.#settled.has(document);
  }

  setOnline(isOnline: boolean): void {
    this.#isOnline = isOnline;
    this.#steer();
  }

  retry(): void {
    this.#peers.retryNow();
  }

  hangUp(): void {
    this.#options.link.hangUp();
  }

  /** The store of this page is the one that documents are taken from: they are there. */
  async prepare(): Promise<void> {}

  resumed(): void {
    this.#store.stillOurs?.().catch((error: unknown) => {
      this.#options.environment.logger.warn("keeper.store_in_doubt", { error: String(error) });
    });
    this.#peers.retryNow();
    this.#changed();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTell?.();
    for (const stop of this.#stops) stop();
    for (const cancel of this.#retries.values()) cancel();
    this.#acceptor?.stop();
    this.#channel?.close();
    this.#beat?.stop();
    try {
      await this.replica.close();
    } finally {
      // Of a store that is lost the replica cannot take leave.
      await this.#store.close();
    }
  }

  #onSyncEvent(event: SyncEvent): void {
    if (event.name === "document.settled" && this.#peers.nameOf(event.peer) === relayName) {
      this.#settled.add(event.document);
    }
    this.#changed();
  }

  #wantOnce(entry: DocumentEntry): void {
    if (this.#wanted.has(entry.id)) return;
    this.#wanted.add(entry.id);
    this.#peers.want(entry);
  }

  /** What was typed in earlier days and never sent is sent, whether or not anybody opens it again. */
  async #wantWaiting(store: OpenedStore): Promise<void> {
    const shown = new Set(this.#options.names());
    for (const id of this.#peers.outbox.byDocument.keys()) {
      const entry = await store.readDocument(id);
      // What is shown is wanted, or not, by those who show it.
      if (entry && !shown.has(entry.name)) this.#wantOnce(entry);
    }
  }

  #steer(): void {
    const isWanted = this.#isOnline || [...this.#tabs.values()].includes(true);
    this.#peers.setOnline(isWanted && this.#isNetworkThere);
    if (!isWanted) this.#options.link.hangUp();
  }

  #meetTabs(name: string): void {
    const { environment } = this.#options;
    this.#stops.push(forwardPresence(this.#peers.presence));
    this.#acceptor = acceptBroadcastChannel({ name }, (connection) => {
      this.#peers.accept(connection);
    });
    this.#channel = new TabChannel(name, environment.random, {
      onWant: (message) => void this.#onWant(message),
      onBye: (tab) => {
        this.#tabs.delete(tab);
        this.#asked.delete(tab);
        this.#steer();
      },
    });
    this.#tell();
  }

  async #onWant({ tab, names, isOnline, isUrgent, ask }: WantMessage): Promise<void> {
    const asksAnew = isOnline && (isUrgent || this.#tabs.get(tab) !== true);
    this.#tabs.set(tab, isOnline);
    this.#steer();
    if (asksAnew) this.retry();
    await Promise.all(names.map((name) => this.#wantName(name, 1)));
    // It may have left meanwhile.
    if (this.#tabs.has(tab)) this.#asked.set(tab, ask);
    this.#changed();
  }

  /** A document that a tab shows; one that cannot be opened now is tried again. */
  async #wantName(name: string, attempt: number): Promise<void> {
    if (this.#namesOfTabs.has(name) || this.#isClosed) return;
    this.#namesOfTabs.add(name);
    this.#retries.get(name)?.();
    this.#retries.delete(name);
    const { replica } = this.replica;
    const { logger, scheduler } = this.#options.environment;
    try {
      const document = await replica.acquire(parseDocumentName(name));
      this.#wantOnce(document.entry);
      replica.release(document);
    } catch (error) {
      this.#namesOfTabs.delete(name);
      if (!isHeddleError(error)) throw error;
      logger.warn("keeper.not_wanted", { code: error.code });
      // A name that is none gets no better.
      if (error.code === HeddleErrorCode.frameMalformed || this.#isClosed) return;
      const again = (): void => void this.#wantName(name, attempt + 1);
      this.#retries.set(name, scheduler.after(pauseMs(attempt), again));
    }
  }

  #changed(): void {
    this.#options.onChange();
    if (this.#channel === undefined) return;
    this.#cancelTell ??= this.#options.environment.scheduler.after(tellMs, () => {
      this.#cancelTell = undefined;
      this.#tell();
    });
  }

  #tell(): void {
    const { durability, relay } = this;
    const waiting = [...this.#peers.outbox.byDocument].map(([id, { count, bytes, oldestMs }]) => {
      return [id, { count, bytes, oldestMs }] as const;
    });
    const message: Omit<KeeperMessage, "heddle" | "kind" | "keeper"> = {
      durability,
      relay: { name: relay.name, code: relay.name === "refused" ? relay.code : undefined },
      waiting,
      settled: [...this.#settled],
      answers: [...this.#asked],
    };
    this.#channel?.tell(message);
  }
}
