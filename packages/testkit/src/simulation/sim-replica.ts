import {
  assert,
  documentIdOf,
  EnvelopeKind,
  HybridClock,
  LaneWriter,
  openLane,
  openSpaceId,
  parseDocumentName,
  PayloadCodec,
  signRun,
  toHex,
  verifyLane,
  verifyRun,
  type DocumentEntry,
  type DocumentId,
  type Envelope,
  type HeddleErrorCode,
  type LaneDescriptor,
  type LaneId,
  type LanePosition,
  type Signer,
  type Verifier,
} from "@heddle/core";
import {
  byeCodeOf,
  isPermanentBye,
  mayAttempt,
  nextRetryState,
  PeerRole,
  Replication,
  type RetryEvent,
  type RetryState,
  type RunVerdict,
  type StoreAnswer,
  type SyncEffect,
  type SyncEvent,
  type SyncLimits,
} from "@heddle/sync";

import { testHash } from "../test-environment.ts";
import type { SimChecker } from "./sim-checker.ts";
import type { SimDisk } from "./sim-disk.ts";
import type { SimEngine, SimEngineFactory } from "./sim-engine.ts";
import type { NetworkEnd, SimNetwork } from "./sim-network.ts";
import type { SimRandom } from "./sim-random.ts";
import { SimStore } from "./sim-store.ts";
import { SimClock, type SimTime } from "./sim-time.ts";
import type { SimTrace } from "./sim-trace.ts";

/** What replicas of one simulation share. */
export interface SimSurroundings {
  readonly time: SimTime;
  readonly network: SimNetwork;
  readonly random: SimRandom;
  readonly trace: SimTrace;
  readonly checker: SimChecker;
  readonly verifier: Verifier;
  readonly engine: SimEngineFactory;
  readonly limits: Partial<SyncLimits>;
  replica(name: string): SimReplica | undefined;
}

export interface SimReplicaOptions {
  readonly name: string;
  readonly isRelay: boolean;
  readonly disk: SimDisk;
  readonly signer: Signer;
  /** Names of replicas that this one connects to. */
  readonly targets: readonly string[];
  readonly clockOffsetMs: number;
}

/** The writer of a running process: what a copy of its memory would go on with. */
export interface SimWriter {
  readonly lane: LaneDescriptor;
  readonly positions: ReadonlyMap<DocumentId, LanePosition>;
}

/** One start of a replica; gone after a crash. */
interface Running {
  readonly store: SimStore;
  readonly replication: Replication;
  readonly engine: SimEngine;
  readonly clock: HybridClock;
  readonly dials: Map<string, RetryState>;
  readonly dialOf: Map<number, string>;
  lane: LaneDescriptor | undefined;
  writer: LaneWriter | undefined;
  isLaneStored: boolean;
  readonly positions: Map<DocumentId, LanePosition>;
  /** Own envelopes on their way to disk, by lane. */
  readonly inFlight: Map<LaneId, number>;
}

const tickMs = 200;
/** Reading a document takes longer than other answers, and something may be written meanwhile. */
const loadMsMax = 40;

/**
 * A replica around the very state machine that ships: its store, engine, clock and connections are
 * simulated, everything that decides is not.
 */
export class SimReplica implements NetworkEnd {
  readonly name: string;
  readonly disk: SimDisk;
  readonly signer: Signer;
  readonly clock: SimClock;
  readonly #options: SimReplicaOptions;
  readonly #around: SimSurroundings;
  #running: Running | undefined;
  /** Read, and not yet allowed to speak: its new incarnation is on its way to disk. */
  #starting: SimStore | undefined;
  #generation = 0;

  constructor(around: SimSurroundings, options: SimReplicaOptions) {
    this.#around = around;
    this.#options = options;
    this.name = options.name;
    this.disk = options.disk;
    this.signer = options.signer;
    this.clock = new SimClock(around.time, options.clockOffsetMs);
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  get store(): SimStore | undefined {
    return this.#running?.store;
  }

  get replication(): Replication | undefined {
    return this.#running?.replication;
  }

  get engine(): SimEngine | undefined {
    return this.#running?.engine;
  }

  get options(): SimReplicaOptions {
    return this.#options;
  }

  /** What a copy of this process's memory would hold; `undefined` before its first write. */
  get writer(): SimWriter | undefined {
    const running = this.#running;
    if (!running?.lane || !running.isLaneStored) return undefined;
    const positions = new Map<DocumentId, LanePosition>();
    for (const [id, { vector }] of running.store.documents) {
      const position = vector.get(running.lane.id);
      if (position) positions.set(id, position);
    }
    return { lane: running.lane, positions };
  }

  /** Starts from the disk; false when the disk is damaged. `writer` makes it go on as a clone. */
  start(writer?: SimWriter): boolean {
    assert(!this.isUp, "a replica is started once");
    const generation = ++this.#generation;
    const { random } = this.#around;
    const store = SimStore.open(testHash, this.disk, random, () => {
      if (generation === this.#generation && this.#starting) this.#begin(this.#starting, writer);
    });
    this.#starting = store;
    this.#note(store ? "starts" : "finds its disk damaged");
    return store !== undefined;
  }

  /** Power loss. Peers notice at once, or only by silence. */
  crash(isNoticed: boolean): void {
    this.#note("crashes");
    this.#generation++;
    this.#running = undefined;
    this.#starting = undefined;
    this.disk.crash();
    if (isNoticed) this.#around.network.closeAllOf(this);
  }

  /** A local change, on its way to disk. */
  async edit(name: string): Promise<void> {
    const running = this.#running;
    if (!running) return;
    const generation = this.#generation;
    const entry = this.#entryOf(name);
    running.replication.want(entry, this.#nowMs);
    const { writer, lane } = await this.#writerOf(running);
    if (generation !== this.#generation || running.lane !== lane) return;
    const draft = {
      kind: EnvelopeKind.update,
      flags: 0,
      document: entry.id,
      epoch: 0,
      schema: 0,
      codec: PayloadCodec.yjsV1,
      payload: running.engine.edit(entry.id, lane.id),
    };
    const sealed = writer.seal(running.positions.get(entry.id), draft);
    running.positions.set(entry.id, { seq: sealed.seq, head: sealed.id });
    running.engine.sealed(sealed);
    this.#note(`sealed ${placeOf(sealed)}`);
    this.#around.checker.authored(this, sealed);
    const [envelope] = await signRun([sealed], this.signer);
    if (generation === this.#generation) this.#writeHere(running, lane, entry, envelope!);
  }

  #writeHere(
    running: Running,
    lane: LaneDescriptor,
    entry: DocumentEntry,
    envelope: Envelope,
  ): void {
    const { store } = running;
    const batch = {
      lanes: running.isLaneStored && running.lane === lane ? [] : [lane],
      documents: [entry],
      envelopes: [envelope],
    };
    const generation = this.#generation;
    running.inFlight.set(lane.id, (running.inFlight.get(lane.id) ?? 0) + 1);
    store.append(batch, (isGood, arrival) => {
      if (generation !== this.#generation) return;
      running.inFlight.set(lane.id, running.inFlight.get(lane.id)! - 1);
      if (!isGood) return this.#failed();
      if (running.lane === lane) running.isLaneStored = true;
      this.#note(`saved ${placeOf(envelope)}`);
      this.#around.checker.saved(this, envelope);
      running.replication.storedHere(entry, [envelope], lane, arrival, this.#nowMs);
      this.#drain();
    });
  }

  onFrame(connection: number, bytes: Uint8Array): void {
    this.#running?.replication.receive(connection, bytes, this.#nowMs);
    this.#drain();
  }

  onClosed(connection: number): void {
    this.#running?.replication.disconnected(connection, this.#nowMs);
    this.#drain();
  }

  /** Somebody connects to this replica. */
  accept(connection: number): boolean {
    if (!this.#running) return false;
    this.#running.replication.connect(connection, "acceptor", this.#nowMs);
    this.#drain();
    return true;
  }

  /** The network is good again: try at once. */
  resetDials(): void {
    for (const name of this.#running?.dials.keys() ?? []) this.#dialed(name, { name: "reset" });
  }

  get #nowMs(): number {
    return this.#around.time.nowMs;
  }

  #begin(store: SimStore, writer: SimWriter | undefined): void {
    const { random, limits, engine } = this.#around;
    const { isRelay, targets } = this.#options;
    const made = engine(random);
    for (const { log } of store.documents.values()) for (const each of log) made.apply(each);
    const replication = new Replication(
      {
        hash: testHash,
        random,
        space: openSpaceId(testHash),
        store: store.storeId,
        incarnations: store.incarnations,
        lastArrival: store.lastArrival,
        devicePublicKey: this.signer.devicePublicKey,
        role: isRelay ? PeerRole.relay : PeerRole.replica,
        engine: "simulated",
        adopt: true,
        follow: true,
        limits,
      },
      store.cursors,
    );
    const clock = new HybridClock(this.clock);
    this.#running = {
      store,
      replication,
      engine: made,
      clock,
      dials: new Map(targets.map((name) => [name, { name: "idle" }])),
      dialOf: new Map(),
      lane: writer?.lane,
      writer: writer && new LaneWriter(writer.lane, testHash, clock),
      isLaneStored: writer !== undefined,
      positions: new Map(writer?.positions),
      inFlight: new Map(),
    };
    replication.writes(writer?.lane.id);
    this.#around.checker.started(this, store);
    this.#tick(this.#generation);
  }

  #tick(generation: number): void {
    if (generation !== this.#generation || !this.#running) return;
    this.#running.replication.tick(this.#nowMs);
    for (const [name, state] of this.#running.dials) {
      if (mayAttempt(state, this.#nowMs)) this.#dial(name);
    }
    this.#drain();
    this.#around.checker.holds(this, this.#running.replication.heldBytes);
    this.#around.time.after(tickMs, () => this.#tick(generation));
  }

  #dial(name: string): void {
    const { network } = this.#around;
    this.#dialed(name, { name: "attempt" });
    const target = this.#around.replica(name);
    const key = target?.isUp ? network.connect(this, target) : undefined;
    if (key === undefined || !target) return this.#dialed(name, { name: "failed" });
    this.#running!.dialOf.set(key, name);
    this.#running!.replication.connect(key, "initiator", this.#nowMs);
    target.accept(key);
  }

  #dialed(name: string, event: RetryEvent): void {
    const dials = this.#running!.dials;
    const context = { nowMs: this.#nowMs, random: this.#around.random };
    dials.set(name, nextRetryState(dials.get(name) ?? { name: "idle" }, event, context));
  }

  #drain(): void {
    const generation = this.#generation;
    for (;;) {
      const effects = this.#running?.replication.takeEffects() ?? [];
      if (effects.length === 0) break;
      for (const effect of effects) {
        if (generation === this.#generation) this.#carryOut(effect);
      }
    }
    if (this.#running?.replication.hasFailed) this.#failed();
  }

  #carryOut(effect: SyncEffect): void {
    const { store, engine } = this.#running!;
    switch (effect.type) {
      case "send":
        this.#around.checker.sends(this, effect.peer, effect.bytes);
        return this.#around.network.send(effect.peer, this, effect.bytes);
      case "close":
        return this.#onClose(effect.peer, effect.code);
      case "keepCursor":
        return store.append({ cursor: { store: effect.store, cursor: effect.cursor } });
      case "keepFork":
        return store.append({ fork: { document: effect.document, proof: effect.proof } });
      case "event":
        return this.#onEvent(effect.event);
      case "sign":
        return this.#later(effect.id, () => this.signer.sign(effect.bytes));
      case "verify": {
        const { devicePublicKey, bytes, signature } = effect;
        return this.#later(effect.id, () => {
          return this.#around.verifier.verify(devicePublicKey, bytes, signature);
        });
      }
      case "verifyLane":
        return this.#later(effect.id, () => verifyLane(effect.lane, this.#around.verifier));
      case "verifyRun": {
        const { lane, isLaneNew, run } = effect;
        const { verifier } = this.#around;
        return this.#later(effect.id, async () => {
          if (isLaneNew && !(await verifyLane(lane, verifier))) return false;
          return verifyRun(run, lane.devicePublicKey, verifier);
        });
      }
      case "load": {
        const document = store.documents.get(effect.document);
        return this.#later(effect.id, () => document && { ...document }, loadMsMax);
      }
      case "changes": {
        const changed = [...store.documents.values()].filter((document) => {
          return document.lastArrival > effect.after;
        });
        return this.#later(effect.id, () => changed.map(({ entry }) => entry));
      }
      case "read":
        return this.#later(effect.id, () => readAbove(store, effect));
      case "store":
        return this.#store(store, engine, effect);
      default:
        return effect;
    }
  }

  #store(
    store: SimStore,
    engine: SimEngine,
    effect: Extract<SyncEffect, { readonly type: "store" }>,
  ): void {
    const { entry, runs, id } = effect;
    const verdicts: RunVerdict[] = [];
    const given = new Set<string>();
    const kept: Envelope[] = [];
    for (const { lane, run } of runs) {
      // What this process wrote itself comes first: a twin's envelopes may claim the same places.
      const isBusy = (this.#running!.inFlight.get(lane.id) ?? 0) > 0;
      const isOut = isBusy || given.has(lane.id);
      const isGood = !isOut && engine.accepts(run);
      verdicts.push(isGood ? "stored" : "incomplete");
      if (isGood) kept.push(...run);
      else given.add(lane.id);
    }
    const lanes = runs.map(({ lane }) => lane).filter((lane) => !store.lanes.has(lane.id));
    const generation = this.#generation;
    const done = (isGood: boolean, arrival: number): void => {
      if (generation !== this.#generation) return;
      if (isGood) for (const envelope of kept) engine.apply(envelope);
      const answer: StoreAnswer = isGood
        ? { outcome: "stored", verdicts, arrival }
        : { outcome: "failed" };
      this.#running!.replication.complete<"store">(id, answer, this.#nowMs);
      this.#drain();
    };
    if (kept.length === 0) {
      this.#around.time.after(1, () => done(true, store.lastArrival));
    } else store.append({ lanes, documents: [entry], envelopes: kept }, done);
  }

  /** Answers a request a little later, as work off the hot path is. */
  #later(id: number, work: () => unknown, delayMsMax = 3): void {
    const generation = this.#generation;
    this.#around.time.after(this.#around.random.fraction() * delayMsMax, async () => {
      if (generation !== this.#generation) return;
      const answer = await work();
      if (generation !== this.#generation) return;
      this.#running!.replication.complete(id, answer as never, this.#nowMs);
      this.#drain();
    });
  }

  #onClose(connection: number, code: HeddleErrorCode): void {
    this.#around.network.close(connection, this);
    const name = this.#running!.dialOf.get(connection);
    if (name === undefined) return;
    this.#running!.dialOf.delete(connection);
    const bye = byeCodeOf(code);
    this.#dialed(name, isPermanentBye(bye) ? { name: "refused", code: bye } : { name: "failed" });
  }

  #onEvent(event: SyncEvent): void {
    const running = this.#running!;
    switch (event.name) {
      case "session.live": {
        const name = running.dialOf.get(event.peer);
        if (name !== undefined) this.#dialed(name, { name: "succeeded" });
        return this.#note(`session ${event.peer} is live`);
      }
      case "session.closed":
        return this.#note(`session ${event.peer} ends: ${event.code}`);
      case "document.received":
        for (const envelope of event.envelopes) this.#note(`received ${placeOf(envelope)}`);
        return this.#around.checker.received(this, event.envelopes);
      case "lane.forked":
        this.#note(`lane ${event.lane.slice(0, 6)} is forked`);
        if (event.lane === running.lane?.id) endWriter(running);
        return this.#around.checker.forked(this, event.document, event.lane);
      case "lane.taken":
        this.#note(`lane ${event.lane.slice(0, 6)} has another writer`);
        return endWriter(running);
      default:
        return this.#note(event.name);
    }
  }

  /** Nobody knows what is on disk: start over from the log, as the replica does (ADR-0008). */
  #failed(): void {
    this.#note("store fails");
    this.crash(true);
    const { time, random } = this.#around;
    const generation = this.#generation;
    time.after(random.between(10, 500), () => {
      if (generation === this.#generation && !this.isUp) this.start();
    });
  }

  async #writerOf(running: Running): Promise<{ writer: LaneWriter; lane: LaneDescriptor }> {
    if (!running.writer || !running.lane) {
      const lane = await openLane({
        space: openSpaceId(testHash),
        signer: this.signer,
        hash: testHash,
        random: this.#around.random,
        clock: running.clock,
        engine: "simulated",
      });
      running.lane = lane;
      running.writer = new LaneWriter(lane, testHash, running.clock);
      running.replication.writes(lane.id);
    }
    return { writer: running.writer, lane: running.lane };
  }

  #entryOf(text: string): DocumentEntry {
    const name = parseDocumentName(text);
    const id = documentIdOf(testHash, openSpaceId(testHash), name);
    return { id, name, createdAt: { wallMs: this.clock.nowMs(), counter: 0 } };
  }

  #note(what: string): void {
    this.#around.trace.add(this.#nowMs, this.name, what);
  }
}

/** Our writer has a twin. It ends, and the next change begins a lane of its own. */
function endWriter(running: Running): void {
  running.replication.writes(undefined);
  running.lane = undefined;
  running.writer = undefined;
  running.isLaneStored = false;
  running.positions.clear();
}

function placeOf({ document, lane, seq, id }: Envelope): string {
  return `${document.slice(0, 4)}/${lane.slice(0, 6)}/${seq} ${toHex(id.subarray(0, 4))}`;
}

/** In the order of arrival, some `bytesMax` of them. */
function readAbove(
  store: SimStore,
  { document, above, lane, bytesMax }: Extract<SyncEffect, { readonly type: "read" }>,
) {
  const envelopes: Envelope[] = [];
  let bytes = 0;
  for (const envelope of store.documents.get(document)?.log ?? []) {
    const isWanted = lane === undefined || envelope.lane === lane;
    if (!isWanted || envelope.seq <= (above.get(envelope.lane) ?? 0)) continue;
    envelopes.push(envelope);
    bytes += envelope.bytes.length;
    if (bytes >= bytesMax) break;
  }
  return { envelopes, lanes: store.lanes };
}
