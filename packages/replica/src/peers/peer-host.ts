import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  type DocumentEntry,
  type DocumentId,
  type StoreId,
} from "@heddle/core";
import {
  newSyncCounters,
  type Connection,
  type KeptRefusal,
  type PeerKey,
  type Replication,
  type Side,
  type SyncCounters,
  type SyncEvent,
} from "@heddle/sync";

import type { StoredRound } from "../committer.ts";
import type { ReplicaState } from "../replica-options.ts";
import { KnownLanes } from "./known-lanes.ts";
import { MachineEffects } from "./machine-effects.ts";
import { offerForbiddenAgain } from "./member-sessions.ts";
import { OfferedDocuments } from "./offered-documents.ts";
import { openMachine } from "./open-machine.ts";
import {
  endOf,
  PeerConnections,
  type SessionEnd,
  type SessionListener,
} from "./peer-connections.ts";
import type { PeerHostOptions } from "./peer-host-options.ts";
import { PeerNotes } from "./peer-notes.ts";
import { PeerPresence } from "./peer-presence.ts";
import { RecentEnvelopes } from "./recent-envelopes.ts";
import { ReplicationWaits, type Copies } from "./replication-waits.ts";
import { ServedCheckpoints } from "./serve-checkpoint.ts";
import { sumOfCounters } from "./sum-of-counters.ts";
import { ToldEdits } from "./told-edits.ts";
import { WantedDocuments } from "./wanted-documents.ts";
import type { WaitOptions } from "../wait-until.ts";

const tickMs = 200;
/** A machine that could not be made while the store is good is tried again after so long. */
const startMs = 2_000;

/**
 * Lets the peers of a replica speak with it: carries out what the state machine of the wire decides,
 * over connections and the store, and does nothing of its own.
 *
 *   replica ready ──► machine, sessions ──store fails──► sessions end (1013), machine forgotten
 *        ▲                                                                │
 *        └────────────────────── the store has proved itself ◄────────────┘
 */
export class PeerHost {
  /** Who is here, for those who have a document open; never stored. */
  readonly presence = new PeerPresence((document, update, to) => {
    this.#input((machine) => machine.sendEphemeral(document, update, this.#nowMs, to));
  });
  readonly #options: PeerHostOptions;
  readonly #lanes: KnownLanes;
  readonly #recent = new RecentEnvelopes();
  readonly #notes: PeerNotes;
  readonly #checkpoints: ServedCheckpoints;
  readonly #connections = new PeerConnections();
  readonly #effects: MachineEffects;
  readonly #wanted = new WantedDocuments();
  readonly #stopObserving: () => void;
  readonly #stopMembers: (() => void) | undefined;
  readonly #waits = new ReplicationWaits();
  readonly #told: ToldEdits;
  readonly #offered: OfferedDocuments | undefined;
  /** Rounds that were stored while a machine was being made. */
  readonly #missed: StoredRound[] = [];
  #ended = newSyncCounters();
  #machine: Replication | undefined;
  /** Counts machines: what was asked by an earlier one is not answered any more. */
  #generation = 0;
  #cancelTick: (() => void) | undefined;
  #cancelStart: (() => void) | undefined;
  #announcing: Promise<void> = Promise.resolve();
  #isStopped = false;

  private constructor(options: PeerHostOptions) {
    this.#options = options;
    this.#lanes = new KnownLanes(options.store);
    this.#notes = new PeerNotes(options);
    const { store, environment, replica, mayOffer } = options;
    const { logger } = environment;
    this.#offered =
      mayOffer && new OfferedDocuments({ mayOffer, members: replica.members, logger });
    this.#told = new ToldEdits({ store, environment, telemetry: replica.telemetry });
    this.#checkpoints = new ServedCheckpoints({ store, environment, access: replica.access });
    this.#effects = new MachineEffects({
      ...options,
      lanes: this.#lanes,
      recent: this.#recent,
      notes: this.#notes,
      checkpoints: this.#checkpoints,
      connections: this.#connections,
      offered: this.#offered,
      machine: () => this.#machine,
      onEvent: (event) => this.#onEvent(event),
    });
    options.drift?.attach({
      compare: (document) => this.#input((machine) => machine.compare(document, this.#nowMs)),
      reload: (document) => this.#input((machine) => machine.reload(document, this.#nowMs)),
      want: (entry) => this.want(entry),
      standing: (document, peer) => this.#machine?.standing(document, peer),
    });
    this.#stopObserving = options.replica.observe({
      onStored: (round) => this.#onStored(round),
      onStateChange: (state) => this.#onStateChange(state),
      onCheckpointed: (document) => this.#onCheckpointed(document),
    });
    this.#stopMembers = replica.members?.onChange(({ hasLost }) => {
      // A rule may be about roles.
      if (hasLost || this.#offered) this.#beginAnew();
    });
  }

  /** @throws HeddleError `HEDDLE_STORAGE_*`. */
  static async open(options: PeerHostOptions): Promise<PeerHost> {
    const host = new PeerHost(options);
    await host.#start();
    return host;
  }

  /** Counters, views and what is held; `undefined` while the store is not to be trusted. */
  get machine(): Replication | undefined {
    return this.#machine;
  }

  /** Of all machines, the ended ones too. */
  get counters(): SyncCounters {
    return this.#machine ? sumOfCounters(this.#ended, this.#machine.counters) : this.#ended;
  }

  /** What its greetings name. */
  get storeId(): StoreId {
    return this.#options.store.storeId;
  }

  get sessionCount(): number {
    return this.#connections.count;
  }

  /** Speaks over a connection that was just opened, from here or from there. */
  connect(connection: Connection, side: Side, listener: SessionListener = {}): PeerKey | undefined {
    const machine = this.#machine;
    if (machine === undefined || this.#isStopped) {
      listener.onEnded?.(endOf(HeddleErrorCode.relayOverloaded));
      connection.close(HeddleErrorCode.relayOverloaded, "the store is not ready");
      return undefined;
    }
    const key = this.#connections.add(connection, listener);
    this.#input(() => machine.connect(key, side, this.#nowMs));
    this.#cancelTick ??= this.#scheduleTick();
    // Last: what has come already is handed out at once.
    connection.listen({
      onMessage: (bytes) => this.#input((live) => live.receive(key, bytes, this.#nowMs), key),
      onDrain: () => undefined,
      onClosed: (end) => this.#onClosed(key, end),
    });
    return key;
  }

  /**
   * Exchanges a document with every peer, now and later. The returned function takes back one such
   * wish: after the last one, sessions that come are not asked for the document any more.
   */
  want(entry: DocumentEntry): () => void {
    this.#input((machine) => machine.want(entry, this.#nowMs));
    return this.#wanted.add(entry, () => this.#machine?.unwant(entry.id));
  }

  /**
   * Resolves when everything that this device has written to the document, and saved by now, is on the
   * disks of so many other stores, or of a relay. Needs `hasOutbox`.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*` while the store fails, `HEDDLE_STORAGE_CLOSED` at the end; or
   * the signal's reason.
   */
  async whenReplicated(document: DocumentId, copies: Copies, options?: WaitOptions): Promise<void> {
    if (this.#machine === undefined) {
      throw new HeddleError(HeddleErrorCode.storageClosed, "the store is not ready");
    }
    const replicated = this.#waits.add(this.#machine, document, copies, options);
    if (this.#waits.has(document)) {
      this.#input((machine) => machine.setAwaited(document, true, this.#nowMs));
    }
    try {
      await replicated;
    } finally {
      if (options?.signal?.aborted && !this.#waits.has(document)) {
        this.#input((machine) => machine.setAwaited(document, false, this.#nowMs));
      }
    }
  }

  /** Offers what a peer has refused again, to one store or to all that refused it. */
  retryRefused({ document, lane }: Pick<KeptRefusal, "document" | "lane">): void {
    this.#input((machine) => machine.retryRefused(document, lane, this.#nowMs));
  }

  /** What `mayOffer` answers has changed: sessions begin anew, and go by it. */
  reviewOffers(): void {
    if (this.#offered) this.#beginAnew();
  }

  /** Says goodbye to everybody. The replica and the store are their owner's. */
  stop(code: HeddleErrorCode = HeddleErrorCode.sessionClosed): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stopObserving();
    this.#stopMembers?.();
    this.#end(code);
    this.#notes.flush();
    this.#waits.end();
  }

  async #start(): Promise<void> {
    const generation = ++this.#generation;
    // Whatever was stored before is read now.
    this.#missed.splice(0);
    const machine = await openMachine(this.#options, this.#notes, {
      mayOpenNew: (peer) => this.#connections.mayOpenNew(peer),
      ...(this.#offered && { mayOffer: this.#offered.mayOffer }),
    });
    if (generation !== this.#generation || this.#isStopped) return;
    this.#machine = machine;
    for (const document of this.#waits.documents) machine.setAwaited(document, true, this.#nowMs);
    for (const entry of this.#wanted.entries) machine.want(entry, this.#nowMs);
    for (const round of this.#missed.splice(0)) this.#onStored(round);
    this.#effects.drain();
  }

  #end(code: HeddleErrorCode): void {
    this.#generation++;
    this.#cancelStart?.();
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.#machine?.stop(code, this.#nowMs);
    this.#effects.drain();
    if (this.#machine) this.#ended = sumOfCounters(this.#ended, this.#machine.counters);
    this.#machine = undefined;
    this.#checkpoints.clear();
    this.#recent.clear();
    this.#connections.closeAll(code);
  }

  #onStateChange(state: ReplicaState): void {
    if (state.name !== "ready") {
      this.#end(HeddleErrorCode.relayOverloaded);
      return this.#notes.discard();
    }
    this.#startAgain();
  }

  /** What counts is less than what peers were told: they are told anew, and who is out stays out. */
  #beginAnew(): void {
    if (this.#isStopped || this.#machine === undefined) return;
    this.#end(HeddleErrorCode.relayOverloaded);
    this.#startAgain();
  }

  #startAgain(): void {
    const { logger, scheduler } = this.#options.environment;
    const starting = this.#start();
    const generation = this.#generation;
    starting.catch((error: unknown) => {
      if (!isHeddleError(error)) throw error;
      logger.warn("peers.not_started", { code: error.code });
      // Where the store as a whole failed again, the next `ready` begins anew.
      if (generation !== this.#generation || this.#isStopped) return;
      this.#missed.splice(0);
      this.#cancelStart = scheduler.after(startMs, () => this.#startAgain());
    });
  }

  #onStored(round: StoredRound): void {
    const { arrival, lane, documents } = round;
    for (const { entry } of documents) this.#offered?.note(entry);
    this.#lanes.add(lane);
    const machine = this.#machine;
    if (machine === undefined) {
      // What the next machine reads may be older. Suspended, nothing is written.
      this.#missed.push(round);
      return;
    }
    machine.writes(lane.id);
    if (!this.#isIdle(machine)) this.#recent.add(round);
    // Who keeps no outbox need not know what is written while nobody is there.
    if (!this.#options.hasOutbox && this.#isIdle(machine)) {
      return machine.storedUnseen(
        arrival,
        documents.map(({ entry }) => entry.id),
      );
    }
    this.#input(() => {
      for (const { entry, envelopes } of documents) {
        // Its log has a hole: the machine hears of it anew when that is filled.
        if (this.#options.drift?.isDegraded(entry.id)) continue;
        // What came from other replicas is answered where it was asked for.
        const own = envelopes.filter((envelope) => envelope.lane === lane.id);
        if (own.length > 0) machine.storedHere(entry, own, lane, arrival, this.#nowMs);
      }
    });
  }

  /** What peers may be given of a document has changed; asked in order, so that the last word is true. */
  #onCheckpointed(document: DocumentId): void {
    const machine = this.#machine;
    if (machine === undefined || this.#isIdle(machine)) return;
    const generation = this.#generation;
    const { logger } = this.#options.environment;
    this.#announcing = this.#announcing
      .then(() => this.#checkpoints.held(document))
      .then(({ checkpoint, floors }) => {
        if (checkpoint === undefined || generation !== this.#generation) return;
        this.#input((live) => live.checkpointed(document, checkpoint, floors, this.#nowMs));
      })
      .catch((error: unknown) => {
        if (!isHeddleError(error)) throw error;
        logger.warn("peer.checkpoint_unreadable", { document, code: error.code });
      });
  }

  #onClosed(key: PeerKey, end: SessionEnd): void {
    const tell = this.#connections.remove(key);
    this.#input((machine) => machine.disconnected(key, this.#nowMs));
    tell(end);
  }

  get #nowMs(): number {
    return this.#options.environment.clock.monotonicMs();
  }

  /** Everything that happens to the machine goes through here, so that its effects are carried out. */
  #input(action: (machine: Replication) => void, key?: PeerKey): void {
    const machine = this.#machine;
    if (machine === undefined || (key !== undefined && !this.#connections.has(key))) return;
    action(machine);
    this.#effects.drain();
  }

  #onEvent(event: SyncEvent): void {
    if ("entry" in event) this.#offered?.note(event.entry);
    if (event.name === "session.live") {
      this.#connections.live(event.peer);
      // Who it is may be all that was missing: that it is a relay is not kept.
      for (const document of this.#waits.documents) this.#review(document);
    }
    if (event.name === "lane.replicated") this.#review(event.document);
    const { members } = this.#options.replica;
    if (event.name === "document.settled" && event.document === members?.control.id) {
      const at = { peer: event.peer, nowMs: this.#nowMs };
      this.#input((machine) => offerForbiddenAgain(machine, members, at));
    }
    if (event.name === "lane.taken") {
      const { document, lane } = event;
      this.#options.environment.logger.error("lane.taken", { document, lane });
    }
    if (event.name === "lane.taken" || event.name === "lane.forked") {
      this.#options.replica.endLane(event.lane);
    }
    if (event.name === "edits.pushed") this.#told.pushed(event);
    if (event.name === "lane.refused") this.#told.refused(event.refusal);
    this.presence.onEvent(event);
    this.#options.drift?.onSyncEvent(event);
    this.#options.onEvent?.(event);
  }

  /** Somebody may have more of a document that somebody waits for. */
  #review(document: DocumentId): void {
    if (this.#machine === undefined) return;
    this.#waits.review(this.#machine, document);
    const isAwaited = this.#waits.has(document);
    if (!isAwaited) this.#machine.setAwaited(document, false, this.#nowMs);
  }

  /** Nobody is there, and nothing of those who were is left. */
  #isIdle(machine: Replication): boolean {
    return this.#connections.count === 0 && machine.documentCount === 0;
  }

  #scheduleTick(): () => void {
    return this.#options.environment.scheduler.after(tickMs, () => {
      this.#cancelTick = undefined;
      this.#input((machine) => machine.tick(this.#nowMs));
      const isOver = this.#machine === undefined || this.#isIdle(this.#machine);
      if (!isOver) this.#cancelTick ??= this.#scheduleTick();
      else {
        this.#checkpoints.clear();
        this.#recent.clear();
      }
    });
  }
}
