import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  type DocumentEntry,
  type DocumentId,
  type Environment,
  type LogStore,
  type Signer,
  type Verifier,
} from "@heddle/core";
import {
  byeCodeOf,
  newSyncCounters,
  Replication,
  type Connection,
  type KeptRefusal,
  type PeerKey,
  type PeerRole,
  type Side,
  type SyncCounters,
  type SyncEffect,
  type SyncEvent,
  type SyncLimits,
  type SyncRequest,
} from "@heddle/sync";

import type { StoredRound } from "../committer.ts";
import type { ReplicaState } from "../replica-options.ts";
import type { Replica } from "../replica.ts";
import { KnownLanes } from "./known-lanes.ts";
import { readKeptOutbox } from "./kept-outbox.ts";
import { PeerNotes } from "./peer-notes.ts";
import { PeerPresence } from "./peer-presence.ts";
import { ReplicationWaits, type Copies } from "./replication-waits.ts";
import { answerPeerRequest } from "./peer-requests.ts";
import { ServedCheckpoints } from "./serve-checkpoint.ts";

export interface PeerHostOptions {
  readonly replica: Replica;
  /** The store of that replica. */
  readonly store: LogStore;
  readonly environment: Environment;
  /** The device key: it signs greetings, and envelopes of this device when a peer asks for them. */
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly role: (typeof PeerRole)[keyof typeof PeerRole];
  /** Name and version, told to peers for diagnosis. */
  readonly engine: string;
  /** Take any document that a peer opens, not only those that this replica wants. */
  readonly adopt: boolean;
  /** Ask peers for everything they have. */
  readonly follow: boolean;
  /** Keep account of this device's envelopes that peers lack, over restarts. */
  readonly hasOutbox: boolean;
  readonly limits?: Partial<SyncLimits>;
  readonly onEvent?: (event: SyncEvent) => void;
}

/** What became of one connection. */
export interface SessionListener {
  /** Greetings are done and signatures were good. */
  onLive?(): void;
  /** Told once, with what ended it: this side, the peer or the transport. */
  onEnded?(end: SessionEnd): void;
}

export interface SessionEnd {
  readonly code: HeddleErrorCode;
  /** As on a WebSocket; `isPermanentBye` reads it. */
  readonly closeCode: number;
}

interface Session {
  readonly connection: Connection;
  readonly listener: SessionListener;
}

const tickMs = 200;

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
  readonly #notes: PeerNotes;
  readonly #checkpoints: ServedCheckpoints;
  readonly #sessions = new Map<PeerKey, Session>();
  /** Documents that are wanted, and how often. */
  readonly #wanted = new Map<DocumentId, { readonly entry: DocumentEntry; count: number }>();
  readonly #stopObserving: () => void;
  readonly #waits = new ReplicationWaits();
  /** Rounds that were stored while a machine was being made. */
  readonly #missed: StoredRound[] = [];
  #ended = newSyncCounters();
  #machine: Replication | undefined;
  /** Counts machines: what was asked by an earlier one is not answered any more. */
  #generation = 0;
  #nextKey: PeerKey = 1;
  #cancelTick: (() => void) | undefined;
  #announcing: Promise<void> = Promise.resolve();
  #isDraining = false;
  #isStopped = false;

  private constructor(options: PeerHostOptions) {
    this.#options = options;
    this.#lanes = new KnownLanes(options.store);
    this.#notes = new PeerNotes(options);
    const { store, environment, replica } = options;
    this.#checkpoints = new ServedCheckpoints({ store, environment, access: replica.access });
    this.#stopObserving = options.replica.observe({
      onStored: (round) => this.#onStored(round),
      onStateChange: (state) => this.#onStateChange(state),
      onCheckpointed: (document) => this.#onCheckpointed(document),
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
    return this.#machine ? sumOf(this.#ended, this.#machine.counters) : this.#ended;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Speaks over a connection that was just opened, from here or from there. */
  connect(connection: Connection, side: Side, listener: SessionListener = {}): void {
    const key = this.#nextKey++;
    const machine = this.#machine;
    if (machine === undefined || this.#isStopped) {
      listener.onEnded?.(endOf(HeddleErrorCode.relayOverloaded));
      return connection.close(HeddleErrorCode.relayOverloaded, "the store is not ready");
    }
    this.#sessions.set(key, { connection, listener });
    this.#input(() => machine.connect(key, side, this.#nowMs));
    this.#cancelTick ??= this.#scheduleTick();
    // Last: what has come already is handed out at once.
    connection.listen({
      onMessage: (bytes) => this.#input((live) => live.receive(key, bytes, this.#nowMs), key),
      onDrain: () => undefined,
      onClosed: (end) => this.#onClosed(key, end),
    });
  }

  /**
   * Exchanges a document with every peer, now and later. The returned function takes back one such
   * wish: after the last one, sessions that come are not asked for the document any more.
   */
  want(entry: DocumentEntry): () => void {
    const wanted = this.#wanted.get(entry.id) ?? { entry, count: 0 };
    this.#wanted.set(entry.id, wanted);
    wanted.count++;
    this.#input((machine) => machine.want(entry, this.#nowMs));
    let isWanted = true;
    return () => {
      if (!isWanted) return;
      isWanted = false;
      if (--wanted.count > 0) return;
      this.#wanted.delete(entry.id);
      this.#machine?.unwant(entry.id);
    };
  }

  /**
   * Resolves when everything that this device has written to the document, and saved by now, is on the
   * disks of so many other stores, or of a relay. Needs `hasOutbox`.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*` while the store fails, `HEDDLE_STORAGE_CLOSED` at the end.
   */
  async whenReplicated(document: DocumentId, copies: Copies): Promise<void> {
    if (this.#machine === undefined) {
      throw new HeddleError(HeddleErrorCode.storageClosed, "the store is not ready");
    }
    await this.#waits.add(this.#machine, document, copies);
  }

  /** Offers what a peer has refused again, to one store or to all that refused it. */
  retryRefused({ document, lane }: Pick<KeptRefusal, "document" | "lane">): void {
    this.#input((machine) => machine.retryRefused(document, lane, this.#nowMs));
  }

  /** Says goodbye to everybody. The replica and the store are their owner's. */
  stop(code: HeddleErrorCode = HeddleErrorCode.sessionClosed): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stopObserving();
    this.#end(code);
    this.#notes.flush();
    this.#waits.end();
  }

  async #start(): Promise<void> {
    const generation = ++this.#generation;
    const { store, replica, environment, signer, limits, ...rest } = this.#options;
    const { role, engine, adopt, follow, hasOutbox } = rest;
    const { devicePublicKey } = signer;
    const incarnations = await store.readIncarnations();
    const cursors = await this.#notes.readCursors();
    const kept = hasOutbox ? await readKeptOutbox({ store, environment, devicePublicKey }) : {};
    const lastArrival = await store.readLastArrival();
    if (generation !== this.#generation || this.#isStopped) return;
    const machineOptions = {
      hash: environment.hash,
      random: environment.random,
      space: replica.space,
      store: store.storeId,
      incarnations,
      lastArrival,
      devicePublicKey,
      role,
      engine,
      adopt,
      follow,
      hasOutbox,
      ...(limits && { limits }),
    };
    this.#machine = new Replication(machineOptions, cursors, kept);
    for (const { entry } of this.#wanted.values()) this.#machine.want(entry, this.#nowMs);
    for (const round of this.#missed.splice(0)) this.#onStored(round);
    this.#drain();
  }

  #end(code: HeddleErrorCode): void {
    this.#generation++;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.#machine?.stop(code, this.#nowMs);
    this.#drain();
    if (this.#machine) this.#ended = sumOf(this.#ended, this.#machine.counters);
    this.#machine = undefined;
    this.#checkpoints.clear();
    for (const key of this.#sessions.keys()) this.#close(key, code);
  }

  #onStateChange(state: ReplicaState): void {
    if (state.name !== "ready") {
      this.#end(HeddleErrorCode.relayOverloaded);
      return this.#notes.discard();
    }
    this.#start().catch((error: unknown) => {
      // The store failed again; the next `ready` begins anew.
      if (!isHeddleError(error)) throw error;
      this.#options.environment.logger.warn("peers.not_started", { code: error.code });
    });
  }

  #onStored(round: StoredRound): void {
    const { arrival, lane, documents } = round;
    this.#lanes.add(lane);
    const machine = this.#machine;
    if (machine === undefined) {
      // What the next machine reads may be older. Suspended, nothing is written.
      this.#missed.push(round);
      return;
    }
    machine.writes(lane.id);
    // Who keeps no outbox need not know what is written while nobody is there.
    if (!this.#options.hasOutbox && this.#isIdle(machine)) return machine.storedUnseen(arrival);
    this.#input(() => {
      for (const { entry, envelopes } of documents) {
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
    const session = this.#take(key);
    this.#input((machine) => machine.disconnected(key, this.#nowMs));
    session?.listener.onEnded?.(end);
  }

  get #nowMs(): number {
    return this.#options.environment.clock.monotonicMs();
  }

  /** Everything that happens to the machine goes through here, so that its effects are carried out. */
  #input(action: (machine: Replication) => void, key?: PeerKey): void {
    const machine = this.#machine;
    if (machine === undefined || (key !== undefined && !this.#sessions.has(key))) return;
    action(machine);
    this.#drain();
  }

  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    try {
      for (;;) {
        const effects = this.#machine?.takeEffects() ?? [];
        if (effects.length === 0) return;
        for (const effect of effects) this.#carryOut(effect);
      }
    } finally {
      this.#isDraining = false;
    }
  }

  #carryOut(effect: SyncEffect): void {
    switch (effect.type) {
      case "send":
        return this.#sessions.get(effect.peer)?.connection.send(effect.bytes);
      case "close":
        return this.#close(effect.peer, effect.code);
      case "event":
        return this.#onEvent(effect.event);
      case "keepCursor":
        return this.#notes.keepCursor(effect.store, effect.cursor);
      case "keepFork":
        return this.#notes.keepFork(effect.document, effect.proof);
      case "keepAcks":
        return this.#notes.keepAcks(effect.acks);
      case "keepRefusal":
        return this.#notes.keepRefusal(effect.refusal);
      case "forgetRefusal":
        return this.#notes.forgetRefusal(effect.refusal);
      default:
        return this.#answer(effect);
    }
  }

  #answer(request: SyncRequest): void {
    const generation = this.#generation;
    const { environment } = this.#options;
    const [lanes, notes, checkpoints] = [this.#lanes, this.#notes, this.#checkpoints];
    const tools = { ...this.#options, lanes, notes, checkpoints };
    answerPeerRequest(tools, request)
      .catch((error: unknown) => {
        if (!isHeddleError(error)) throw error;
        const fields = { request: request.type, code: error.code, error: error.message };
        environment.logger.warn("peer.request_failed", fields);
        return failedAnswers[request.type];
      })
      .then((answer) => {
        if (generation !== this.#generation || answer === unanswered) return;
        this.#input((machine) => machine.complete(request.id, answer as never, this.#nowMs));
      });
  }

  #onEvent(event: SyncEvent): void {
    if (event.name === "session.live") this.#sessions.get(event.peer)?.listener.onLive?.();
    if (event.name === "lane.replicated" && this.#machine) {
      this.#waits.review(this.#machine, event.document);
    }
    if (event.name === "lane.taken" || event.name === "lane.forked") {
      this.#options.replica.endLane(event.lane);
    }
    this.presence.onEvent(event);
    this.#options.onEvent?.(event);
  }

  #close(key: PeerKey, code: HeddleErrorCode): void {
    const session = this.#take(key);
    session?.connection.close(code);
    session?.listener.onEnded?.(endOf(code));
  }

  #take(key: PeerKey): Session | undefined {
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    return session;
  }

  /** Nobody is there, and nothing of those who were is left. */
  #isIdle(machine: Replication): boolean {
    return this.#sessions.size === 0 && machine.documentCount === 0;
  }

  #scheduleTick(): () => void {
    return this.#options.environment.scheduler.after(tickMs, () => {
      this.#cancelTick = undefined;
      this.#input((machine) => machine.tick(this.#nowMs));
      const isOver = this.#machine === undefined || this.#isIdle(this.#machine);
      if (!isOver) this.#cancelTick ??= this.#scheduleTick();
      else this.#checkpoints.clear();
    });
  }
}

function sumOf(a: SyncCounters, b: SyncCounters): SyncCounters {
  const sum = { ...a };
  for (const name of Object.keys(sum) as (keyof SyncCounters)[]) sum[name] += b[name];
  return sum;
}

function endOf(code: HeddleErrorCode): SessionEnd {
  return { code, closeCode: byeCodeOf(code) };
}

/** Nothing true could be said, so nothing is: whoever asked gets no further in this session. */
const unanswered = Symbol("unanswered");

/** What a request is answered with when the store could not be read. */
const failedAnswers: Readonly<Partial<Record<SyncRequest["type"], unknown>>> = {
  load: "unreadable",
  read: { envelopes: [], lanes: new Map() },
  changes: unanswered,
  readCheckpoint: { outcome: "gone" },
  adoptCheckpoint: unanswered,
};
