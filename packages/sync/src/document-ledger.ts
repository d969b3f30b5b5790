import {
  acceptEnvelope,
  compareBytes,
  logDigest,
  noEnvelopeId,
  type DocumentEntry,
  type Envelope,
  type EnvelopeId,
  type Hash,
  type LaneId,
  type LanePosition,
} from "@heddle/core";

import type { ForkProof, HeldCheckpoint, LoadedDocument } from "./sync-effects.ts";

/** What an incoming run is, compared with what is held. */
export interface RunComparison {
  /** The part that follows without a gap; empty when there is none. */
  readonly fresh: readonly Envelope[];
  readonly duplicates: number;
  /** Seqs that are missing before the rest. */
  readonly gap?: { readonly fromSeq: number; readonly toSeq: number };
  /** The run cannot be of the history that is held: they differ at this seq or before. */
  readonly forkSeq?: number;
}

/**
 * Positions of one document: what is on disk, and ahead of it what was accepted and is being verified
 * and stored. The durable part is the ledger against duplicates: no window, nothing expires (LOG-3).
 */
export class DocumentLedger {
  readonly entry: DocumentEntry;
  readonly #hash: Hash;
  readonly #recentMax: number;
  readonly #durable: Map<LaneId, LanePosition>;
  readonly #accepted = new Map<LaneId, LanePosition>();
  readonly #recent = new Map<LaneId, Map<number, EnvelopeId>>();
  readonly #forks = new Map<LaneId, ForkProof>();
  #floors: ReadonlyMap<LaneId, number>;
  #checkpoint: HeldCheckpoint | undefined;
  #digest: Uint8Array | undefined;

  constructor(hash: Hash, recentMax: number, loaded: LoadedDocument) {
    this.#hash = hash;
    this.#recentMax = recentMax;
    this.entry = loaded.entry;
    this.#durable = new Map(loaded.vector);
    this.#floors = loaded.floors ?? new Map();
    this.#checkpoint = loaded.checkpoint;
    for (const proof of loaded.forks) this.#forks.set(proof.lane.id, proof);
  }

  get durable(): ReadonlyMap<LaneId, LanePosition> {
    return this.#durable;
  }

  get forks(): ReadonlyMap<LaneId, ForkProof> {
    return this.#forks;
  }

  /** Up to here lanes are in the checkpoint and not in the log. */
  get floors(): ReadonlyMap<LaneId, number> {
    return this.#floors;
  }

  /** What may be served instead of the log. */
  get checkpoint(): HeldCheckpoint | undefined {
    return this.#checkpoint;
  }

  /** Whether the checkpoint stands for all that is on disk, and nothing else. */
  get isCheckpointed(): boolean {
    const vector = this.#checkpoint?.vector;
    if (vector?.size !== this.#durable.size) return false;
    return [...this.#durable].every(([lane, { seq }]) => vector.get(lane)?.seq === seq);
  }

  /** Digest L of what is on disk. */
  get digest(): Uint8Array {
    this.#digest ??= logDigest(this.#hash, this.#durable);
    return this.#digest;
  }

  durableSeq(lane: LaneId): number {
    return this.#durable.get(lane)?.seq ?? 0;
  }

  /** Id of what is at `seq`, if it is at hand. */
  idAt(lane: LaneId, seq: number): EnvelopeId | undefined {
    const durable = this.#durable.get(lane);
    return durable?.seq === seq ? durable.head : this.#recent.get(lane)?.get(seq);
  }

  /** Id that the envelope at `seq` names as the one before, if it is at hand. */
  idBefore(lane: LaneId, seq: number): EnvelopeId | undefined {
    if (seq === 1) return noEnvelopeId;
    const accepted = this.#accepted.get(lane);
    return accepted?.seq === seq - 1 ? accepted.head : this.idAt(lane, seq - 1);
  }

  /** Up to here everything is held or on its way to disk. */
  acceptedSeq(lane: LaneId): number {
    return (this.#accepted.get(lane) ?? this.#durable.get(lane))?.seq ?? 0;
  }

  isFrozen(lane: LaneId): boolean {
    return this.#forks.has(lane);
  }

  freeze(proof: ForkProof): void {
    this.#forks.set(proof.lane.id, proof);
    this.#accepted.delete(proof.lane.id);
  }

  /** Compares and changes nothing. */
  compare(run: readonly Envelope[]): RunComparison {
    const lane = run[0]!.lane;
    let have = this.#accepted.get(lane) ?? this.#durable.get(lane);
    const fresh: Envelope[] = [];
    let duplicates = 0;
    for (const envelope of run) {
      const acceptance = acceptEnvelope(have, envelope, (seq) => this.#recent.get(lane)?.get(seq));
      if (acceptance.outcome === "awaiting-earlier") return { fresh, duplicates, gap: acceptance };
      if (acceptance.outcome === "refused") {
        return { fresh, duplicates, forkSeq: Math.min(envelope.seq, have?.seq ?? 0) };
      }
      if (acceptance.outcome === "duplicate") duplicates++;
      else {
        fresh.push(envelope);
        have = acceptance.position;
      }
    }
    return { fresh, duplicates };
  }

  /** `run` is what {@link compare} called fresh. */
  accept(run: readonly Envelope[]): void {
    const last = run.at(-1)!;
    this.#accepted.set(last.lane, { seq: last.seq, head: last.id });
    const recent = this.#recent.get(last.lane) ?? new Map<number, EnvelopeId>();
    this.#recent.set(last.lane, recent);
    for (const { seq, id } of run) recent.set(seq, id);
    for (const seq of recent.keys()) {
      if (recent.size <= this.#recentMax) break;
      recent.delete(seq);
    }
  }

  /** What was accepted of the lane after `kept`, or after what is on disk, is not any more. */
  takeBack(lane: LaneId, kept?: LanePosition): void {
    if (kept) this.#accepted.set(lane, kept);
    else this.#accepted.delete(lane);
    const keptSeq = this.acceptedSeq(lane);
    const recent = this.#recent.get(lane);
    for (const seq of recent?.keys() ?? []) if (seq > keptSeq) recent?.delete(seq);
  }

  /** `run` is on disk. */
  stored(run: readonly Envelope[]): void {
    const last = run.at(-1)!;
    const position = { seq: last.seq, head: last.id };
    this.#durable.set(last.lane, position);
    if (this.acceptedSeq(last.lane) <= last.seq) this.#accepted.delete(last.lane);
    this.#digest = undefined;
  }

  /** There is a newer checkpoint on disk, and maybe less of a log. */
  checkpointed(checkpoint: HeldCheckpoint, floors: ReadonlyMap<LaneId, number>): void {
    this.#checkpoint = checkpoint;
    this.#floors = floors;
  }

  /**
   * Positions on disk that a checkpoint raised. Heads are the checkpoint's: the next envelope of a lane
   * has to name it. Returns the lanes that are higher now.
   */
  raise(vector: ReadonlyMap<LaneId, LanePosition>): LaneId[] {
    const raised: LaneId[] = [];
    for (const [lane, position] of vector) {
      if (position.seq <= this.durableSeq(lane)) continue;
      this.#durable.set(lane, position);
      if (this.acceptedSeq(lane) <= position.seq) this.#accepted.delete(lane);
      this.#recent.delete(lane);
      raised.push(lane);
    }
    this.#digest = undefined;
    return raised;
  }

  /**
   * Whether a peer that says it stands at `seq` with `head` stands on our history: `undefined` when the
   * id there is not at hand.
   */
  agrees(lane: LaneId, seq: number, head: Uint8Array): boolean | undefined {
    if (seq === 0) return true;
    const held = this.idAt(lane, seq);
    if (held === undefined || seq > this.durableSeq(lane)) return undefined;
    return compareBytes(held.subarray(0, head.length), head) === 0;
  }
}
