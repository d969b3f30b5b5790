import { equalBytes, type Envelope, type LaneId, type VersionVector } from "@heddle/core";

import type { DocumentLedger } from "./document-ledger.ts";
import { isShown } from "./fork-proof.ts";
import type { WirePosition } from "./frame-shapes.ts";
import { NakCode } from "./nak-code.ts";

/** Bytes of a head on the wire. */
export const headBytes = 8;

/** What a comparison with a peer's positions left open. */
export type SuspectLane = (lane: LaneId, seq: number) => void;

/** `head` is the id there, where the peer said it. */
interface Theirs {
  readonly seq: number;
  readonly head: Uint8Array | undefined;
}

/**
 * What one peer is known to have of one document, lane by lane, and what was sent to it.
 *
 *   said ──its id is at hand, equal──► confirmed
 *     └── not at hand ─► claimed ──`prev` of the next envelope──► confirmed, or suspected of a fork
 */
export class PeerPositions {
  readonly #ledger: DocumentLedger;
  /** On the peer's disk, proven by ids. */
  readonly #confirmed = new Map<LaneId, number>();
  /** What the peer said it has and could not be checked yet. */
  readonly #claimed = new Map<LaneId, { readonly seq: number; readonly head: Uint8Array }>();
  /** Highest that the peer has of each lane, by its own word, where that is more than is on our disk. */
  readonly #theirs = new Map<LaneId, Theirs>();
  readonly #sent = new Map<LaneId, number>();
  /** Lanes that the peer refused. */
  readonly #suspended = new Map<LaneId, number>();
  readonly #onConfirmed: (lane: LaneId, seq: number) => void;
  readonly #isHeld: (lane: LaneId) => boolean;
  #isHeard = false;

  /**
   * `onConfirmed` hears of every position that is proven; `isHeld` says of which lanes the peer is not to
   * be sent anything now.
   */
  constructor(
    ledger: DocumentLedger,
    onConfirmed: (lane: LaneId, seq: number) => void,
    isHeld: (lane: LaneId) => boolean = () => false,
  ) {
    this.#ledger = ledger;
    this.#onConfirmed = onConfirmed;
    this.#isHeld = isHeld;
  }

  /** The peer has said what it has. */
  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** Highest seq of a lane that is proven to be on the peer's disk. */
  confirmedSeq(lane: LaneId): number {
    return this.#confirmed.get(lane) ?? 0;
  }

  /** Highest seq of a lane that the peer says it has; 0 where that is on our disk as well. */
  theirSeq(lane: LaneId): number {
    return this.#theirs.get(lane)?.seq ?? 0;
  }

  confirm(lane: LaneId, seq: number): void {
    if (seq > this.confirmedSeq(lane)) {
      this.#confirmed.set(lane, seq);
      this.#onConfirmed(lane, seq);
    }
    if (seq > (this.#sent.get(lane) ?? 0)) this.#sent.set(lane, seq);
    if (this.theirSeq(lane) <= this.#ledger.durableSeq(lane)) this.#theirs.delete(lane);
  }

  /** How many lanes the peer says that it has more of: what its word makes us remember. */
  get claimsCount(): number {
    return this.#theirs.size;
  }

  /** Lanes that the peer says it has more of, and how far. */
  *ahead(): Iterable<readonly [LaneId, number]> {
    for (const [lane, { seq }] of this.#theirs) {
      if (seq > this.#ledger.durableSeq(lane) && !this.isOut(lane)) yield [lane, seq];
    }
  }

  /** The peer sent what lies at `seq`, or says that it has it, with this id. */
  shown(lane: LaneId, seq: number, head?: Uint8Array): void {
    const known = this.#theirs.get(lane);
    const isNews = seq > (known?.seq ?? 0) || (seq === known?.seq && known.head === undefined);
    if (isNews && seq > this.#ledger.durableSeq(lane)) {
      this.#theirs.set(lane, { seq, head: head?.slice() });
    }
  }

  /** The peer says that it has a lane up to there. */
  claimed(position: WirePosition, suspect: SuspectLane): void {
    this.#compare(position, false, suspect);
  }

  /** More of the lane is on our disk: what the peer said of it may be proven by that. */
  stored(lane: LaneId, suspect: SuspectLane): void {
    const theirs = this.#theirs.get(lane);
    if (theirs === undefined || this.#ledger.durableSeq(lane) < theirs.seq) return;
    this.#theirs.delete(lane);
    const { seq, head } = theirs;
    if (head) this.#compare({ lane, seq, head }, false, suspect);
  }

  /** The peer has exactly what is on our disk. */
  equal(): void {
    this.#theirs.clear();
    for (const [lane, { seq }] of this.#ledger.durable) this.confirm(lane, seq);
    this.#isHeard = true;
  }

  /**
   * The peer's whole vector. What it said before may have been damaged on the way: the last word
   * counts.
   *
   * @param isQuiet nothing that was sent can still be on its way, so what is missing is sent again.
   */
  replace(
    positions: ReadonlyMap<LaneId, WirePosition>,
    isQuiet: boolean,
    suspect: SuspectLane,
  ): void {
    const mayLower = isQuiet || !this.#isHeard;
    this.#isHeard = true;
    this.#theirs.clear();
    for (const position of positions.values()) this.#compare(position, mayLower, suspect);
    for (const [lane, durable] of this.#ledger.durable) {
      const seq = positions.get(lane)?.seq ?? 0;
      const floor = Math.max(seq, this.confirmedSeq(lane));
      const sent = this.#sent.get(lane) ?? 0;
      if (mayLower || sent < floor) this.#sent.set(lane, Math.min(floor, durable.seq));
    }
  }

  #compare({ lane, seq, head }: WirePosition, mayLower: boolean, suspect: SuspectLane): void {
    this.shown(lane, seq, head);
    if (seq > this.#ledger.durableSeq(lane) || seq === 0) return;
    const agrees = this.#ledger.agrees(lane, seq, head);
    if (agrees === true) this.confirm(lane, seq);
    else if (agrees === false) suspect(lane, seq);
    else if (seq > this.confirmedSeq(lane)) {
      this.#claimed.set(lane, { seq, head: head.slice() });
      if (mayLower) this.#sent.set(lane, seq);
    }
  }

  /**
   * The first envelope after a claimed position names the id there, and so proves or refutes it. False
   * when it refutes.
   */
  checkClaim(first: Envelope, suspect: SuspectLane): boolean {
    const claim = this.#claimed.get(first.lane);
    if (claim === undefined || claim.seq !== first.seq - 1) return true;
    this.#claimed.delete(first.lane);
    if (equalBytes(first.prev.subarray(0, headBytes), claim.head)) {
      this.confirm(first.lane, claim.seq);
      return true;
    }
    suspect(first.lane, claim.seq);
    return false;
  }

  sent(lane: LaneId, seq: number): void {
    this.#sent.set(lane, seq);
  }

  /** The peer asks for what begins at `fromSeq`; false when it was not sent yet, and so will be. */
  sendAgain(lane: LaneId, fromSeq: number): boolean {
    if (fromSeq > (this.#sent.get(lane) ?? 0)) return false;
    this.#sent.set(lane, fromSeq - 1);
    this.#claimed.delete(lane);
    return true;
  }

  /** The peer asks for what begins at `fromSeq`, and has, by its word, all before. */
  sendFrom(lane: LaneId, fromSeq: number): void {
    this.#sent.set(lane, fromSeq - 1);
    this.#claimed.delete(lane);
  }

  /** The peer may have forgotten, or never got, what was sent. */
  sendAllAgain(): void {
    for (const lane of this.#sent.keys()) this.#sent.set(lane, this.confirmedSeq(lane));
  }

  suspend(lane: LaneId, code: number): void {
    this.#suspended.set(lane, code);
  }

  /** The peer is asked again whether it takes the lane. */
  resume(lane: LaneId): void {
    this.#suspended.delete(lane);
    this.#sent.set(lane, this.confirmedSeq(lane));
  }

  /** As {@link resume}, for all lanes that were refused with that code. */
  resumeAll(code: number): void {
    for (const [lane, given] of this.#suspended) if (given === code) this.resume(lane);
  }

  /** The peer has frozen the lane as well. */
  knowsFork(lane: LaneId): boolean {
    return this.#suspended.get(lane) === NakCode.forked;
  }

  /** Above this seq the peer is to be sent what we have; infinitely high where nothing is to be. */
  aboveSeq(lane: LaneId): number {
    const sent = this.#sent.get(lane) ?? 0;
    const isInLog = sent >= (this.#ledger.floors.get(lane) ?? 0);
    const isNever = this.isOut(lane) || !isInLog || this.#isHeld(lane);
    return isNever ? Number.MAX_SAFE_INTEGER : sent;
  }

  /** The peer lacks what is no more in our log. */
  isBelow(floors: ReadonlyMap<LaneId, number>): boolean {
    for (const [lane, floor] of floors) {
      if (!this.isOut(lane) && (this.#sent.get(lane) ?? 0) < floor) return true;
    }
    return false;
  }

  /** The peer lacks what is no more in our log of these lanes. */
  areBelow(lanes: Iterable<LaneId>, floors: ReadonlyMap<LaneId, number>): boolean {
    for (const lane of lanes) {
      if (!this.isOut(lane) && (this.#sent.get(lane) ?? 0) < (floors.get(lane) ?? 0)) return true;
    }
    return false;
  }

  /** How many of the envelopes that a vector covers the peer was not sent. */
  missingBelow(vector: VersionVector): number {
    let count = 0;
    for (const [lane, { seq }] of vector) {
      const upTo = Math.min(seq, this.#ledger.durableSeq(lane));
      if (!this.isOut(lane)) count += Math.max(0, upTo - (this.#sent.get(lane) ?? 0));
    }
    return count;
  }

  /** The peer has something that we lack and may take. */
  get isBehind(): boolean {
    for (const [lane, { seq }] of this.#theirs) {
      if (this.#ledger.durableSeq(lane) < seq && !this.#ledger.isFrozen(lane)) return true;
    }
    return false;
  }

  /** Which side lacks something that it could have. */
  get lag(): { readonly here: boolean; readonly there: boolean } {
    const there = [...this.#ledger.durable].some(([lane, { seq }]) => {
      return this.confirmedSeq(lane) < seq && !this.isOut(lane);
    });
    return { here: this.isBehind, there };
  }

  /** What is on our disk and the peer is still to be sent: the highest seq, by lane. */
  get unsent(): Map<LaneId, number> {
    const unsent = new Map<LaneId, number>();
    for (const [lane, { seq }] of this.#ledger.durable) {
      if (seq > this.aboveSeq(lane)) unsent.set(lane, seq);
    }
    return unsent;
  }

  /** What is on our disk and was not sent to the peer, held back or not: the highest seq, by lane. */
  get lacking(): Map<LaneId, number> {
    const lacking = new Map<LaneId, number>();
    for (const [lane, { seq }] of this.#ledger.durable) {
      if (seq > (this.#sent.get(lane) ?? 0) && !this.isOut(lane)) lacking.set(lane, seq);
    }
    return lacking;
  }

  get hasUnsent(): boolean {
    for (const [lane, { seq }] of this.#ledger.durable) {
      if (seq > this.aboveSeq(lane)) return true;
    }
    return false;
  }

  /** Envelopes on our disk that are not proven to be on the peer's. */
  get missingCount(): number {
    let count = 0;
    for (const [lane, { seq }] of this.#ledger.durable) {
      if (!this.#ledger.isFrozen(lane)) count += Math.max(0, seq - this.confirmedSeq(lane));
    }
    return count;
  }

  /** Envelopes that the peer says it has and we lack. */
  get missingHere(): number {
    let count = 0;
    for (const [lane, { seq }] of this.#theirs) {
      if (!this.#ledger.isFrozen(lane)) count += Math.max(0, seq - this.#ledger.durableSeq(lane));
    }
    return count;
  }

  /** Neither side lacks anything that the other has, as far as it can be had. */
  get areEqual(): boolean {
    if (!this.#isHeard) return false;
    for (const [lane, { seq }] of this.#ledger.durable) {
      if (this.confirmedSeq(lane) < seq && !this.isOut(lane)) return false;
    }
    for (const [lane, proof] of this.#ledger.forks) {
      if (isShown(proof) && !this.knowsFork(lane)) return false;
    }
    for (const [lane, { seq }] of this.#theirs) {
      if (this.#ledger.durableSeq(lane) >= seq) this.#theirs.delete(lane);
      else if (!this.isOut(lane)) return false;
    }
    return true;
  }

  /** Nothing of the lane goes either way: it is frozen, or the peer refused it. */
  isOut(lane: LaneId): boolean {
    return this.#suspended.has(lane) || this.#ledger.isFrozen(lane);
  }
}
