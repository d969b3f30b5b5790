import {
  assert,
  EnvelopeFlag,
  EnvelopeKind,
  PayloadCodec,
  type DocumentEntry,
  type Envelope,
  type HeddleError,
  type LaneId,
  type LanePosition,
  type LaneWriter,
  type ParkedUpdate,
  type VersionVector,
} from "@heddle/core";
import {
  admitUpdate,
  mergeParsed,
  parseUpdate,
  type DocumentKnowledge,
  type UpdateFold,
} from "@heddle/document";

import type { Parking } from "./parking.ts";
import { PendingUpdates, type UpdateSource } from "./pending-updates.ts";
import type { ReplicaCounters } from "./replica-counters.ts";

/** What was made durable in one round, ready to be shown. */
export interface DocumentCommit {
  /** Yjs V1: everything of the round in one update. */
  readonly update: Uint8Array;
  readonly sources: ReadonlySet<UpdateSource>;
}

export interface DocumentListener {
  onCommit(commit: DocumentCommit): void;
  /** The document left memory because the store failed; nothing may be built on it any more. */
  onReset(error: HeddleError): void;
}

/** What the log says about a document, as loaded. */
export interface LoadedLog {
  readonly entry: DocumentEntry;
  /** False while the store has never heard of the document. */
  readonly isStored: boolean;
  /** True when the log reaches beyond the vector that was last kept. */
  readonly hasNewPositions: boolean;
  readonly positions: Map<LaneId, LanePosition>;
  /** All that is accepted, on disk or on its way there. */
  readonly knowledge: DocumentKnowledge;
  /** All that is on disk, and so all that may be shown. */
  readonly fold: UpdateFold;
  readonly parking: Parking;
}

/** A document's share of one append. */
export interface DocumentRound {
  readonly entry: DocumentEntry | undefined;
  readonly envelopes: readonly Envelope[];
  readonly park: readonly ParkedUpdate[];
  readonly release: readonly string[];
}

/**
 * One document of a replica, held without a Y.Doc: updates come in, are admitted against what is
 * known, sealed into the lane of this process, and shown once they are on disk (RLY-1).
 *
 *   submit ──► pending ──seal──► in flight ──on disk──► fold, listeners
 *        └───► parked (until what it depends on is admitted)
 */
export class ReplicaDocument {
  readonly entry: DocumentEntry;
  readonly #log: LoadedLog;
  readonly #counters: ReplicaCounters;
  readonly #requestRound: (document: ReplicaDocument) => void;
  readonly #listeners = new Set<DocumentListener>();
  #pending = new PendingUpdates();
  #park: ParkedUpdate[] = [];
  #inFlight: { updates: PendingUpdates; payloads: readonly Uint8Array[] } | undefined;
  #isStored: boolean;
  #hasNewPositions: boolean;
  #reset: HeddleError | undefined;

  constructor(
    log: LoadedLog,
    counters: ReplicaCounters,
    requestRound: (document: ReplicaDocument) => void,
  ) {
    this.entry = log.entry;
    this.#log = log;
    this.#isStored = log.isStored;
    this.#hasNewPositions = log.hasNewPositions;
    this.#counters = counters;
    this.#requestRound = requestRound;
  }

  get isQuiet(): boolean {
    return this.#pending.isEmpty && this.#park.length === 0 && this.#inFlight === undefined;
  }

  /** The vector to keep, when there is one that the store does not have yet. */
  takeNewVector(): VersionVector | undefined {
    if (!this.#isStored || !this.#hasNewPositions) return undefined;
    this.#hasNewPositions = false;
    return new Map(this.#log.positions);
  }

  /** Yjs state vector of everything accepted: what a peer need not send again. */
  encodeStateVector(): Uint8Array {
    return this.#log.knowledge.encodeStateVector();
  }

  /**
   * Yjs V1 update that brings a peer at `stateVector` to what is on disk here.
   *
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED` when the vector cannot be read.
   */
  encodeSince(stateVector: Uint8Array): Uint8Array {
    return this.#log.fold.encodeSince(stateVector);
  }

  /**
   * Takes in a Yjs V1 update from `source`. Returns what became of it; nothing is thrown away.
   *
   * @throws HeddleError `HEDDLE_UPDATE_MALFORMED`, `HEDDLE_UPDATE_TOO_LARGE`, or
   * `HEDDLE_RELAY_OVERLOADED`; nothing has changed then.
   */
  submit(bytes: Uint8Array, source: UpdateSource): "admitted" | "duplicate" | "parked" {
    if (this.#reset) throw this.#reset;
    // A copy of its own: a view would keep the whole receive buffer alive for as long as the fold.
    const { admitted, parked } = admitUpdate(this.#log.knowledge, parseUpdate(bytes.slice()));
    const record = parked && this.#log.parking.add(parked, source);
    if (record) this.#park.push(record);
    if (admitted) {
      this.#log.knowledge.learn(admitted);
      this.#pending.add(admitted, source);
      this.#reviewParked();
    }
    if (admitted || record) this.#requestRound(this);
    const outcome = admitted ? "admitted" : parked ? "parked" : "duplicate";
    this.#counters[outcome]++;
    return outcome;
  }

  /** Runs `task` once everything that `source` has submitted was shown; at once if that is so. */
  afterCommitOf(source: UpdateSource, task: () => void): void {
    if (this.#pending.sources.has(source)) this.#pending.afterCommit(task);
    else if (this.#inFlight?.updates.sources.has(source)) this.#inFlight.updates.afterCommit(task);
    else task();
  }

  subscribe(listener: DocumentListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Seals what is pending. The committer calls it, one round at a time. */
  beginRound(writer: LaneWriter): DocumentRound {
    assert(this.#inFlight === undefined, "a document has one round in flight");
    const updates = this.#pending;
    this.#pending = new PendingUpdates();
    const payloads = updates.bursts.map((burst) => mergeParsed(burst.updates));
    this.#inFlight = { updates, payloads };
    const envelopes = updates.bursts.map(({ principal }, index) => {
      return this.#seal(writer, payloads[index]!, principal);
    });
    const entry = this.#isStored ? undefined : this.entry;
    const park = this.#park;
    this.#park = [];
    return { entry, envelopes, park, release: updates.released };
  }

  /** The round is on disk: now it may be seen. */
  endRound(): void {
    const round = this.#inFlight;
    assert(round !== undefined, "a round ends after it began");
    this.#inFlight = undefined;
    this.#isStored = true;
    const updates = round.updates.bursts.flatMap((burst) => burst.updates);
    for (const update of updates) this.#log.fold.append(update);
    if (updates.length > 0) {
      const update = round.payloads.length === 1 ? round.payloads[0]! : mergeParsed(updates);
      const commit = { update, sources: round.updates.sources };
      for (const listener of this.#listeners) listener.onCommit(commit);
    }
    round.updates.runAfterCommit();
  }

  /** The store failed: what was in flight may or may not exist, so this copy is given up. */
  reset(error: HeddleError): void {
    if (this.#reset) return;
    this.#reset = error;
    for (const listener of [...this.#listeners]) listener.onReset(error);
    this.#listeners.clear();
  }

  #seal(writer: LaneWriter, payload: Uint8Array, principal: Uint8Array | undefined): Envelope {
    const { positions } = this.#log;
    const lane = writer.descriptor.id;
    const envelope = writer.seal(positions.get(lane), {
      kind: EnvelopeKind.update,
      flags: EnvelopeFlag.viaGateway,
      document: this.entry.id,
      epoch: 0,
      schema: 0,
      codec: PayloadCodec.yjsV1,
      payload,
      principal,
    });
    positions.set(lane, { seq: envelope.seq, head: envelope.id });
    this.#hasNewPositions = true;
    return envelope;
  }

  #reviewParked(): void {
    if (this.#log.parking.count === 0) return;
    const { admitted, released, parked } = this.#log.parking.review(this.#log.knowledge);
    for (const { update, source } of admitted) this.#pending.add(update, source);
    this.#park = this.#park.filter(({ id }) => !released.includes(id));
    this.#park.push(...parked);
    this.#pending.released.push(...released);
    this.#counters.released += admitted.length;
  }
}
