import {
  acceptEnvelope,
  logDigest,
  openSpaceId,
  toHex,
  verifyLane,
  verifyRun,
  type DocumentId,
  type Envelope,
  type Signer,
  type VersionVector,
} from "@heddle/core";
import { encodeUtf8 } from "lib0/string";
import {
  PeerRole,
  Replication,
  type DigestAnswer,
  type RunVerdict,
  type StoreAnswer,
  type SyncEffect,
  type SyncEvent,
} from "@heddle/sync";

import { testHash } from "../test-environment.ts";
import { heldOf, loadInto, SimCheckpoints } from "./sim-checkpoints.ts";
import { SimAuthor, type SimAuthorProcess, type SimWriter } from "./sim-author.ts";
import { SimDials } from "./sim-dials.ts";
import { SimDrift } from "./sim-drift.ts";
import type { SimEngine } from "./sim-engine.ts";
import type { SimRandom } from "./sim-random.ts";
import type { SimReplica } from "./sim-replica.ts";
import type { SimBatch } from "./sim-batch.ts";
import type { SimStore } from "./sim-store.ts";
import type { SimSurroundings } from "./sim-surroundings.ts";
import type { SimClock } from "./sim-time.ts";

const tickMs = 200;
/** Reading a document takes longer than other answers, and something may be written meanwhile. */
const loadMsMax = 40;

/**
 * One start of a replica, until it crashes: carries out what the state machine asks, as a host does.
 * Nothing that was begun before a crash comes back after it.
 */
export class SimProcess implements SimAuthorProcess {
  readonly store: SimStore;
  readonly engine: SimEngine;
  readonly replication: Replication;
  readonly author: SimAuthor;
  readonly dials: SimDials;
  readonly drift: SimDrift;
  isOver = false;
  readonly #checkpoints: SimCheckpoints;
  readonly #around: SimSurroundings;
  readonly #replica: SimReplica;

  constructor(
    around: SimSurroundings,
    replica: SimReplica,
    store: SimStore,
    clone: SimWriter | undefined,
  ) {
    const { random, limits, plan, engine, checker } = around;
    const { isRelay, targets } = replica.options;
    this.#around = around;
    this.#replica = replica;
    this.store = store;
    this.engine = engine(random);
    for (const document of store.documents.values()) loadInto(this.engine, document);
    const options = {
      hash: testHash,
      random,
      space: openSpaceId(testHash),
      store: store.storeId,
      incarnations: store.incarnations,
      lastArrival: store.lastArrival,
      devicePublicKey: replica.signer.devicePublicKey,
      role: isRelay ? PeerRole.relay : PeerRole.replica,
      engine: "simulated",
      adopt: true,
      follow: true,
      history: "prune" as const,
      saysPrev: plan.saysPrev,
      comparesLibraries: plan.comparesLibraries,
      announces: plan.pushesAllRatio === 0 || !random.chance(plan.pushesAllRatio),
      limits,
    };
    const kept = { acks: [...store.acks.values()], own: store.runsOf(replica.signer) };
    const cursors = plan.forgetsCursors ? new Map() : store.cursors;
    this.replication = new Replication(options, cursors, kept);
    this.dials = new SimDials(around, replica, targets);
    this.author = new SimAuthor(this, clone);
    this.#checkpoints = new SimCheckpoints(this, engine);
    this.drift = new SimDrift({
      store,
      engine: this.engine,
      makeEngine: engine,
      random,
      time: around.time,
      replication: this.replication,
      isIdle: () => !this.author.isBusy && !this.#checkpoints.isBusy && this.replication.isIdle,
      isOver: () => this.isOver,
      drain: () => this.drain(),
      auditMs: limits.digestAuditMs,
      note: (entry) => replica.note(`audited ${entry}`),
    });
    checker.started(replica, store, this.engine);
  }

  get signer(): Signer {
    return this.#replica.signer;
  }

  get clock(): SimClock {
    return this.#replica.clock;
  }

  get random(): SimRandom {
    return this.#around.random;
  }

  get nowMs(): number {
    return this.#around.time.nowMs;
  }

  tick(): void {
    if (this.isOver) return;
    this.replication.tick(this.nowMs);
    this.dials.tick((key) => this.replication.connect(key, "initiator", this.nowMs));
    this.drain();
    this.#around.checker.holds(this.#replica, this.replication.heldBytes);
    this.#around.time.after(tickMs, () => this.tick());
  }

  drain(): void {
    while (!this.isOver) {
      const effects = this.replication.takeEffects();
      if (effects.length === 0) break;
      for (const effect of effects) if (!this.isOver) this.#carryOut(effect);
    }
    if (!this.isOver && this.replication.hasFailed) this.failed();
  }

  onSealed(envelope: Envelope): void {
    this.#replica.note(`sealed ${placeOf(envelope)}`);
    this.#around.checker.authored(this.#replica, envelope);
  }

  onSaved(envelope: Envelope): void {
    this.#replica.note(`saved ${placeOf(envelope)}`);
    this.#around.checker.saved(this.#replica, envelope);
  }

  onCheckpointed(document: DocumentId): void {
    this.#around.checker.checkpointed(this.#replica, this.store, document);
  }

  onAdopted(document: DocumentId, vector: VersionVector): void {
    this.#replica.note(`adopted ${document.slice(0, 4)}`);
    this.#around.checker.adopted(this.#replica, document, vector);
  }

  /** Builds a checkpoint of a document, if there is anything in it. */
  checkpoint(document: DocumentId, prunes: boolean): void {
    const stored = this.store.documents.get(document);
    if (!stored) return;
    this.#replica.note(`${prunes ? "prunes" : "checkpoints"} ${document.slice(0, 4)}`);
    this.#checkpoints.build(stored.entry, prunes).catch((error) => this.#rethrow(error));
  }

  failed(): void {
    this.#replica.storeFailed();
  }

  #carryOut(effect: SyncEffect): void {
    const { store } = this;
    switch (effect.type) {
      case "send":
        this.#around.checker.sends(this.#replica, effect.peer, effect.bytes);
        return this.#around.network.send(effect.peer, this.#replica, effect.bytes);
      case "close":
        this.#around.network.close(effect.peer, this.#replica);
        return this.dials.ended(effect.peer, effect.code);
      case "keepCursor":
        return this.#keep({ cursor: { store: effect.store, cursor: effect.cursor } });
      case "keepFork":
        return this.#keep({ fork: { document: effect.document, proof: effect.proof } });
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
        const { checkpoint } = document ?? {};
        const loaded = document && {
          ...document,
          checkpoint: checkpoint && heldOf(checkpoint),
        };
        return this.#later(effect.id, () => loaded, loadMsMax);
      }
      case "library":
        return this.#later(effect.id, () => store.readLibrary(), loadMsMax);
      case "digests":
        return this.#later(effect.id, () => effect.documents.map((id) => store.digestOf(id)));
      case "changes": {
        const changed = store.changedAfter(effect.after);
        return this.#later(effect.id, () => changed.map(({ entry }) => entry));
      }
      case "keepAcks":
        return this.#keep({ acks: effect.acks });
      case "keepRefusal":
      case "forgetRefusal":
        return this.#replica.note(effect.type);
      case "digest":
        return this.#later(effect.id, () => this.#digest(effect.document));
      case "readCheckpoint":
        return this.#later(effect.id, () => store.readCheckpoint(effect));
      case "adoptCheckpoint":
        return this.#adopt(effect);
      case "read":
        return this.#later(effect.id, () => store.readAbove(effect));
      case "store":
        return this.#store(effect);
      default:
        return effect;
    }
  }

  /** Of a document that shows exactly what is on disk. */
  #digest(document: DocumentId): DigestAnswer {
    const stored = this.store.documents.get(document);
    if (!stored || this.author.isBusy || this.#checkpoints.isBusy) {
      return { outcome: "unavailable" };
    }
    const log = logDigest(testHash, stored.vector);
    const state = testHash.sha256(encodeUtf8(this.engine.digest(document)));
    return { outcome: "digests", log, state, engine: "simulated" };
  }

  #adopt(effect: Extract<SyncEffect, { readonly type: "adoptCheckpoint" }>): void {
    this.#checkpoints
      .adopt(effect)
      .then((answer) => {
        if (this.isOver || !answer) return;
        this.replication.complete<"adoptCheckpoint">(effect.id, answer, this.nowMs);
        this.drain();
      })
      .catch((error) => this.#rethrow(error));
  }

  /** Where the world sees it. */
  #rethrow(error: unknown): void {
    this.#around.time.after(0, () => {
      throw error;
    });
  }

  #store({ entry, runs, id }: Extract<SyncEffect, { readonly type: "store" }>): void {
    const { store, engine } = this;
    const verdicts: RunVerdict[] = [];
    const given = new Set<string>();
    const ahead = new Map(store.documents.get(entry.id)?.vector);
    const kept: Envelope[] = [];
    for (const { lane, run } of runs) {
      // What this process wrote itself comes first: a twin's envelopes may claim the same places.
      const isOut = this.author.isBusyWith(lane.id) || given.has(lane.id);
      const follows = run.every((envelope) => {
        const acceptance = acceptEnvelope(ahead.get(lane.id), envelope, () => undefined);
        if (acceptance.outcome === "applied") ahead.set(lane.id, acceptance.position);
        return acceptance.outcome === "applied";
      });
      const isGood = !isOut && follows && engine.accepts(run);
      verdicts.push(isGood ? "stored" : "incomplete");
      if (isGood) kept.push(...run);
      else given.add(lane.id);
    }
    const lanes = runs.map(({ lane }) => lane).filter((lane) => !store.lanes.has(lane.id));
    const done = (isGood: boolean, arrival: number): void => {
      if (this.isOver) return;
      if (isGood) for (const envelope of kept) engine.apply(envelope);
      const answer: StoreAnswer = isGood
        ? { outcome: "stored", verdicts, arrival }
        : { outcome: "failed" };
      this.replication.complete<"store">(id, answer, this.nowMs);
      this.drain();
    };
    if (kept.length === 0) {
      this.#around.time.after(1, () => done(true, store.lastArrival));
    } else store.append({ lanes, documents: [entry], envelopes: kept }, done);
  }

  /** Nobody waits for it, and yet a store that fails is started over: it is fenced, whoever wrote. */
  #keep(batch: SimBatch): void {
    this.store.append(batch, (isGood) => {
      if (!isGood && !this.isOver) this.failed();
    });
  }

  /** Answers a request a little later, as work off the hot path is. */
  #later(id: number, work: () => unknown, delayMsMax = 3): void {
    this.#around.time.after(this.random.fraction() * delayMsMax, async () => {
      if (this.isOver) return;
      const answer = await work();
      if (this.isOver) return;
      this.replication.complete(id, answer as never, this.nowMs);
      this.drain();
    });
  }

  #onEvent(event: SyncEvent): void {
    const { checker } = this.#around;
    switch (event.name) {
      case "session.live":
        this.dials.succeeded(event.peer);
        return this.#replica.note(`session ${event.peer} is live`);
      case "session.closed":
        return this.#replica.note(`session ${event.peer} ends: ${event.code}`);
      case "document.received":
        for (const envelope of event.envelopes) this.#replica.note(`received ${placeOf(envelope)}`);
        return checker.received(this.#replica, event.envelopes);
      case "lane.forked":
        this.#replica.note(`lane ${event.lane.slice(0, 6)} is forked`);
        if (event.lane === this.author.lane) this.author.end();
        return checker.forked(this.#replica, event.document, event.lane);
      case "lane.taken":
        this.#replica.note(`lane ${event.lane.slice(0, 6)} has another writer`);
        return this.author.end();
      case "lane.replicated":
        return checker.replicated(this.#replica, event);
      case "document.drifted":
        checker.drifted(this.#replica, event.document);
        if (event.theirs.outcome === "digests") this.drift.drifted(event.document, event.theirs);
        return undefined;
      case "document.agreed":
        return this.drift.agreed(event.document);
      case "sync.progress":
        return undefined;
      case "library.compared":
        return this.#replica.note(`library ${event.isEqual ? "agrees" : "differs"}`);
      default:
        return this.#replica.note(event.name);
    }
  }
}

function placeOf({ document, lane, seq, id }: Envelope): string {
  return `${document.slice(0, 4)}/${lane.slice(0, 6)}/${seq} ${toHex(id.subarray(0, 4))}`;
}
