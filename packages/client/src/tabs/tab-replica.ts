import { platform } from "#platform";
import type { DocumentId, DocumentName, Environment } from "@heddle/core";
import { openLiveReplica, type LivePeers, type LiveReplica } from "@heddle/replica";
import { PeerRole } from "@heddle/sync";

import { broadcastChannelTransport } from "../broadcast-channel-transport.ts";
import {
  nothingWaits,
  waitingTogether,
  type EngineSide,
  type Waiting,
} from "../engine/engine-view.ts";
import { HungTransport } from "../engine/hung-transport.ts";
import { memoryStore } from "../platform/memory-store.ts";
import type { Durability, ReplicaStore } from "../platform/platform.ts";
import { TabChannel, type KeeperMessage } from "./tab-channel.ts";

export interface TabReplicaOptions {
  readonly environment: Environment;
  /** Of which another tab has the log: for the key of the device. */
  readonly store: ReplicaStore;
  /** Of the space that the documents are of; `undefined` for the open space. */
  readonly genesis?: Uint8Array | undefined;
  /** What tabs meet under. */
  readonly tabs: string;
  /** Of the documents that are shown here. */
  readonly names: () => readonly string[];
  readonly onChange: () => void;
}

const keeperName = "keeper";
/** So long a document waits for what is stored; a fail-over takes less. */
const prepareMsMax = 15_000;
const leaveMs = 1_000;

/**
 * The documents of a tab beside the one that stores: a replica of its own in memory, with a lane of its
 * own, which brings everything to the keeper. When that one is gone it brings what is missing, under the
 * same numbers, to the next (I1): nothing is lost with a keeper, and nothing is written twice.
 */
export class TabReplica implements EngineSide {
  readonly isBeside = true;
  readonly replica: LiveReplica;
  readonly #options: TabReplicaOptions;
  readonly #peers: LivePeers;
  readonly #link: HungTransport;
  readonly #channel: TabChannel;
  readonly #stops: (() => void)[];
  #keeper: KeeperMessage | undefined;
  #settled = new Set<DocumentId>();
  #isOnline = false;
  /** The last question, and the last that was answered. */
  #asked = 0;
  #answered = 0;
  /** What had reached no keeper when the question was asked. */
  readonly #unconfirmed = new Map<DocumentId, Waiting>();

  private constructor(options: TabReplicaOptions, replica: LiveReplica, link: HungTransport) {
    this.#options = options;
    this.replica = replica;
    this.#link = link;
    this.#peers = replica.peers!;
    this.#channel = new TabChannel(options.tabs, options.environment.random, {
      onKeeper: (message) => this.#onKeeper(message),
    });
    this.#stops = [
      this.#peers.on("connection", ({ state }) => {
        if (state.name !== "live") this.#settled.clear();
        else this.say();
        options.onChange();
      }),
      this.#peers.on("sync", (event) => {
        if (event.name === "document.settled") this.#settled.add(event.document);
        // It is with the keeper now; whether it is further, only the keeper can tell.
        if (event.name === "lane.replicated") this.say();
        options.onChange();
      }),
    ];
    this.say();
  }

  static async open(options: TabReplicaOptions): Promise<TabReplica> {
    const { environment, store: shared, genesis, tabs } = options;
    const transport = broadcastChannelTransport({ name: tabs });
    const link = new HungTransport("tab", (signal) => transport.dial(signal));
    const store = await memoryStore().open(environment);
    const replica = await openLiveReplica({
      environment,
      store,
      signer: await platform.deviceKey(shared),
      verifier: platform.verifier,
      genesis,
      role: PeerRole.tab,
      peers: [{ name: keeperName, transport: link }],
      release: () => store.close(),
    });
    return new TabReplica(options, replica, link);
  }

  get relay(): EngineSide["relay"] {
    const isWithKeeper = this.#peers.states.get(keeperName)?.name === "live";
    return (isWithKeeper && this.#keeper?.relay) || { name: "idle" };
  }

  durabilityOf(document: DocumentId): Durability | undefined {
    return this.#ownOf(document).count === 0 ? this.#keeper?.durability : undefined;
  }

  waitingOf(document: DocumentId): Waiting {
    return waitingTogether([this.#ownOf(document), this.#thereOf(document)]);
  }

  get waiting(): Waiting {
    const told = this.#keeper?.waiting.map(([id]) => id) ?? [];
    const ids = [...told, ...this.#peers.outbox.byDocument.keys(), ...this.#unconfirmed.keys()];
    return waitingTogether([...new Set(ids)].map((id) => this.waitingOf(id)));
  }

  isSettled(document: DocumentId): boolean {
    return this.#settled.has(document) && (this.#keeper?.settled.includes(document) ?? false);
  }

  setOnline(isOnline: boolean): void {
    this.#isOnline = isOnline;
    this.say();
  }

  /** To the keeper, and by it to the relay. */
  retry(): void {
    this.#peers.retryNow();
    this.say({ isUrgent: true });
  }

  /**
   * The log here is empty at first. A document that began with it would take what it shows, from a store
   * beside ours or from before, for news, and write all of it again.
   */
  async prepare(name: DocumentName): Promise<void> {
    const { replica } = this.replica;
    const document = await replica.acquire(name);
    const { id } = document.entry;
    const unwant = this.#peers.want(document.entry);
    this.say();
    const { scheduler, logger } = this.#options.environment;
    if (!(await this.#whenSettled(id))) logger.warn("tab.unprepared", { document: id });
    // Whoever waits for it is about to want it too.
    scheduler.after(leaveMs, () => {
      unwant();
      replica.release(document);
    });
  }

  resumed(): void {
    this.#peers.retryNow();
    this.say();
  }

  hangUp(): void {
    this.#link.hangUp();
  }

  /** Tells the keeper what is shown here, and asks how things stand. */
  say({ isUrgent = false } = {}): void {
    this.#asked++;
    for (const id of this.#peers.outbox.byDocument.keys()) {
      this.#unconfirmed.set(id, this.#ownOf(id));
    }
    const { names } = this.#options;
    const isOnline = this.#isOnline;
    this.#channel.want({ names: names(), isOnline, isUrgent, ask: this.#asked });
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#channel.bye();
    this.#channel.close();
    await this.replica.close();
  }

  /** False when that took too long: edits are not to wait for ever. */
  #whenSettled(id: DocumentId): Promise<boolean> {
    if (this.#settled.has(id)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (isSettled: boolean): void => {
        cancel();
        stop();
        resolve(isSettled);
      };
      const cancel = this.#options.environment.scheduler.after(prepareMsMax, () => done(false));
      const stop = this.#peers.on("sync", (event) => {
        if (event.name === "document.settled" && event.document === id) done(true);
      });
    });
  }

  #ownOf(document: DocumentId): Waiting {
    return this.#peers.outbox.byDocument.get(document) ?? nothingWaits;
  }

  /** While the keeper has not said what became of it, what was brought there counts as waiting. */
  #thereOf(document: DocumentId): Waiting {
    const told = this.#keeper?.waiting.find(([id]) => id === document)?.[1] ?? nothingWaits;
    const unsure = this.#unconfirmed.get(document);
    const isUnsure = this.#answered < this.#asked && unsure !== undefined;
    return isUnsure && this.#ownOf(document).count === 0 && told.count === 0 ? unsure : told;
  }

  #onKeeper(message: KeeperMessage): void {
    const isAnother = message.keeper !== this.#keeper?.keeper;
    this.#keeper = message;
    this.#answered = message.answers.find(([tab]) => tab === this.#channel.id)?.[1] ?? 0;
    if (this.#answered >= this.#asked) this.#unconfirmed.clear();
    if (isAnother) {
      // The one before is gone, whether or not it could say so.
      this.#link.hangUp();
      this.#peers.retryNow();
      this.say();
    }
    this.#options.onChange();
  }
}
