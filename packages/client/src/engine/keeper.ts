import { platform } from "#platform";
import {
  isHeddleError,
  parseDocumentName,
  type DocumentEntry,
  type DocumentId,
  type Environment,
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
import type { Durability, OpenedStore, ReplicaStore } from "../platform/platform.ts";
import { TabChannel, type KeeperMessage, type WantMessage } from "../tabs/tab-channel.ts";
import { nothingWaits, type EngineSide, type Waiting } from "./engine-view.ts";
import type { RelayLink } from "./relay-link.ts";

export interface KeeperOptions {
  readonly environment: Environment;
  readonly store: ReplicaStore;
  readonly link: RelayLink;
  /** What tabs meet under; without it there is only this page or process. */
  readonly tabs: string | undefined;
  /** Of the documents that are shown in this page. */
  readonly names: () => readonly string[];
  /** Something that {@link EngineSide} shows has changed. */
  readonly onChange: () => void;
  /** With one, waits for another tab to let go of the store. */
  readonly untilFree?: AbortSignal;
}

const relayName = "relay";
/** Tabs are told of changes this often at most. */
const tellMs = 40;

/** The one that has the store and the way to the relay, for all tabs of the origin or for a process. */
export class Keeper implements EngineSide {
  readonly replica: LiveReplica;
  readonly durability: Durability;
  readonly #options: KeeperOptions;
  readonly #peers: LivePeers;
  readonly #settled = new Set<DocumentId>();
  /** Tabs that want a connection, or do not. */
  readonly #tabs = new Map<string, boolean>();
  readonly #namesOfTabs = new Set<string>();
  readonly #asked = new Map<string, number>();
  readonly #stops: (() => void)[] = [];
  /** For tabs, and for what waits: those that this page shows are wanted by their own live documents. */
  readonly #wanted = new Set<DocumentId>();
  #channel: TabChannel | undefined;
  #acceptor: BroadcastChannelAcceptor | undefined;
  #isOnline = false;
  #isNetworkThere = true;
  #cancelTell: (() => void) | undefined;

  private constructor(options: KeeperOptions, replica: LiveReplica, durability: Durability) {
    this.#options = options;
    this.replica = replica;
    this.durability = durability;
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
    const { environment, store: given, link, untilFree } = options;
    const store = await given.open(environment, untilFree);
    const release = (): Promise<void> => store.close();
    try {
      const signer = await deviceSigner(given, store);
      const replica = await openLiveReplica({
        environment,
        store,
        signer,
        verifier: platform.verifier,
        peers: [{ name: relayName, transport: link }],
        // Whoever wants a connection says so; a dial that is given up at once would be noise.
        isOnline: false,
        // Tabs open what they show.
        adopt: options.tabs !== undefined,
        release,
      });
      const keeper = new Keeper(options, replica, store.durability ?? "strict");
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

  async close(): Promise<void> {
    this.#cancelTell?.();
    for (const stop of this.#stops) stop();
    this.#acceptor?.stop();
    this.#channel?.close();
    await this.replica.close();
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

  async #onWant({ tab, names, isOnline, ask }: WantMessage): Promise<void> {
    const asksAnew = isOnline && this.#tabs.get(tab) !== true;
    this.#tabs.set(tab, isOnline);
    this.#steer();
    if (asksAnew) this.retry();
    const { replica } = this.replica;
    for (const name of names) {
      if (this.#namesOfTabs.has(name)) continue;
      this.#namesOfTabs.add(name);
      try {
        const document = await replica.acquire(parseDocumentName(name));
        this.#wantOnce(document.entry);
        replica.release(document);
      } catch (error) {
        if (!isHeddleError(error)) throw error;
        this.#options.environment.logger.warn("keeper.not_wanted", { code: error.code });
      }
    }
    this.#asked.set(tab, ask);
    this.#changed();
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
