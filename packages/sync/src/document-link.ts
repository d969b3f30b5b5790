import {
  encodeHlc,
  equalBytes,
  HeddleErrorCode,
  type DocumentId,
  type Envelope,
  type LaneDescriptor,
  type LaneId,
} from "@heddle/core";

import type { DocumentExchange } from "./document-exchange.ts";
import { HaveFlag, type AckedPosition, type WirePosition } from "./frame-shapes.ts";
import type { Frame, FrameOf } from "./frame.ts";
import { NakCode } from "./nak-code.ts";
import { packEnvelope } from "./packed-envelope.ts";
import { fullJitter } from "./retry-policy.ts";
import type { SyncContext } from "./sync-context.ts";
import { wireLimits } from "./wire-limits.ts";

/** Bytes of a head on the wire. */
const headBytes = 8;

/** What a link needs of its session. */
export interface LinkSession {
  readonly isLive: boolean;
  readonly isCreditOpen: boolean;
  send(frame: Frame): void;
  close(code: HeddleErrorCode): void;
  /** Number under which the peer knows `lane`; says LANE first when it does not yet. */
  refOfLane(lane: LaneDescriptor): number;
  /** Lane that the peer knows under this number, told by us. */
  laneOfRef(laneRef: number): LaneId | undefined;
  refOfPeerLane(lane: LaneId): number | undefined;
  /** There is something to push. */
  wantsToPush(link: DocumentLink): void;
}

/**
 * One document on one session: what the peer is known to have on disk, and what was sent to it.
 *
 *   opening ──HAVE──► exchanging ──nothing missing on either side──► settled ──a change──► exchanging
 *
 * Both sides only ever state what is on their disks, so any doubt ends with another HAVE.
 */
export class DocumentLink {
  readonly exchange: DocumentExchange;
  readonly session: LinkSession;
  readonly ourRef: number;
  /** The peer has said OPEN. */
  isOpenedByPeer = false;
  readonly #context: SyncContext;
  /** On the peer's disk, proven by ids. */
  readonly #confirmed = new Map<LaneId, number>();
  /** What the peer said it has and could not be checked yet. */
  readonly #claimed = new Map<LaneId, { readonly seq: number; readonly head: Uint8Array }>();
  /** Highest that the peer has of each lane, by its own word. */
  readonly #theirs = new Map<LaneId, number>();
  readonly #sent = new Map<LaneId, number>();
  /** Lanes that the peer refused. */
  readonly #suspended = new Map<LaneId, number>();
  readonly #havePieces = new Map<LaneId, WirePosition>();
  #knowsTheirs = false;
  #isReading = false;
  #isUnsettled = true;
  #attempts = 0;
  #dueMs = 0;
  #lastPushMs = -Infinity;

  constructor(
    context: SyncContext,
    session: LinkSession,
    exchange: DocumentExchange,
    ourRef: number,
  ) {
    this.#context = context;
    this.session = session;
    this.exchange = exchange;
    this.ourRef = ourRef;
  }

  get document(): DocumentId {
    return this.exchange.ledger.entry.id;
  }

  /** Says OPEN, what we have, and asks for the same. */
  open(): void {
    const { id, createdAt, name } = this.exchange.ledger.entry;
    this.session.send({
      name: "open",
      documentRef: this.ourRef,
      document: id,
      createdAt: encodeHlc(createdAt),
      documentName: name,
    });
    this.sendHave(HaveFlag.ask | HaveFlag.digestOnly);
    this.#scheduleRetry();
  }

  /** States our positions; all of them unless only the digest is wanted. */
  sendHave(flags: number): void {
    const { digest, durable } = this.exchange.ledger;
    const isShort = (flags & HaveFlag.digestOnly) !== 0;
    const positions = isShort ? [] : [...durable];
    let start = 0;
    do {
      const piece = positions.slice(start, start + wireLimits.positionsPerFrameMax);
      start += piece.length;
      this.session.send({
        name: "have",
        documentRef: this.ourRef,
        digest,
        flags: start < positions.length ? flags | HaveFlag.more : flags,
        positions: piece.map(([lane, { seq, head }]) => {
          return { lane, seq, head: head.subarray(0, headBytes) };
        }),
        checkpoint: undefined,
      });
    } while (start < positions.length);
  }

  receiveHave(have: FrameOf<"have">): void {
    const { ledger } = this.exchange;
    const asks = (have.flags & HaveFlag.ask) !== 0;
    const isShort = (have.flags & HaveFlag.digestOnly) !== 0;
    if (equalBytes(have.digest, ledger.digest)) {
      this.#havePieces.clear();
      this.#theirs.clear();
      for (const [lane, { seq }] of ledger.durable) this.#confirm(lane, seq);
      this.#knowsTheirs = true;
      if (asks) this.sendHave(HaveFlag.digestOnly);
      this.#progressed();
      return;
    }
    if (isShort) {
      this.sendHave(HaveFlag.ask);
      return;
    }
    for (const position of have.positions) this.#havePieces.set(position.lane, position);
    if (this.#havePieces.size > this.#context.limits.lanesPerDocumentMax) {
      return this.session.close(HeddleErrorCode.relayOverloaded);
    }
    if ((have.flags & HaveFlag.more) !== 0) return;
    const positions = new Map(this.#havePieces);
    this.#havePieces.clear();
    this.#comparePositions(positions);
    if (asks) this.sendHave(0);
    this.exchange.forkWatch.tell(this);
    this.session.wantsToPush(this);
  }

  receiveAck(positions: readonly AckedPosition[]): void {
    for (const { laneRef, seq, head } of positions) {
      const lane = this.session.laneOfRef(laneRef);
      // Only what its id proves counts: an ack may be damaged, or of a store that was rolled back.
      if (lane === undefined || this.exchange.ledger.agrees(lane, seq, head) !== true) {
        this.#context.counters.acksUnproven++;
        this.changed();
        continue;
      }
      if (seq > (this.#confirmed.get(lane) ?? 0)) this.#progressed();
      this.#confirm(lane, seq);
    }
  }

  receivePull({ lane, fromSeq }: FrameOf<"pull">): void {
    if (fromSeq < 1 || fromSeq > this.exchange.ledger.durableSeq(lane)) return;
    const sent = this.#sent.get(lane) ?? 0;
    if (fromSeq > sent) return;
    this.#sent.set(lane, fromSeq - 1);
    this.#claimed.delete(lane);
    this.session.wantsToPush(this);
  }

  /** The peer has these on disk: it pushed them. */
  receivedFromPeer(lane: LaneId, seq: number): void {
    if (seq > (this.#theirs.get(lane) ?? 0)) this.#theirs.set(lane, seq);
    this.changed();
  }

  /** Our disk has them too, with the same ids, so they are known to be on the peer's. */
  storedFromPeer(lane: LaneId, seq: number): void {
    this.#confirm(lane, seq);
    this.#progressed();
  }

  /** Says how far lanes that the peer pushed are on our disk. */
  sendAcks(lanes: Iterable<LaneId>): void {
    const positions: AckedPosition[] = [];
    for (const lane of lanes) {
      const durable = this.exchange.ledger.durable.get(lane);
      const laneRef = this.session.refOfPeerLane(lane);
      if (durable === undefined || laneRef === undefined) continue;
      positions.push({ laneRef, seq: durable.seq, head: durable.head.subarray(0, headBytes) });
    }
    if (positions.length > 0) {
      this.session.send({ name: "ack", documentRef: this.ourRef, positions });
    }
  }

  suspend(lane: LaneId, code: number): void {
    this.#suspended.set(lane, code);
  }

  /** The peer has frozen the lane as well. */
  knowsFork(lane: LaneId): boolean {
    return this.#suspended.get(lane) === NakCode.forked;
  }

  /** The peer may have forgotten, or never got, what was sent. */
  resend(): void {
    for (const lane of this.#sent.keys()) this.#sent.set(lane, this.#confirmed.get(lane) ?? 0);
    this.session.wantsToPush(this);
  }

  /** Something is on disk that the peer may lack. */
  changed(): void {
    if (!this.#isUnsettled) this.#scheduleRetry();
    this.#isUnsettled = true;
    this.session.wantsToPush(this);
  }

  /** Highest seq of a lane that the peer says it has. */
  peerSeq(lane: LaneId): number {
    return this.#theirs.get(lane) ?? 0;
  }

  /** Highest seq of a lane that is proven to be on the peer's disk. */
  confirmedSeq(lane: LaneId): number {
    return this.#confirmed.get(lane) ?? 0;
  }

  /** Envelopes on our disk that are not proven to be on the peer's. */
  get missingCount(): number {
    const { ledger } = this.exchange;
    let count = 0;
    for (const [lane, { seq }] of ledger.durable) {
      if (!ledger.isFrozen(lane)) count += Math.max(0, seq - this.confirmedSeq(lane));
    }
    return count;
  }

  /** Behind other data that waits for credit presence would be old; it is dropped and counted. */
  sendEphemeral(payload: Uint8Array): void {
    if (!this.isOpenedByPeer || !this.session.isCreditOpen) {
      this.#context.counters.ephemeralDropped++;
      return;
    }
    this.session.send({ name: "ephemeral", documentRef: this.ourRef, payload });
  }

  /** Neither side lacks anything that the other has, as far as it can be had. */
  get isSettled(): boolean {
    if (this.#isUnsettled) this.#isUnsettled = !this.#computeSettled();
    return !this.#isUnsettled;
  }

  /** Asks again when too long nothing came of it. */
  tick(): void {
    if (this.isSettled || this.#context.nowMs < this.#dueMs) return;
    this.#attempts++;
    this.#scheduleRetry();
    this.#context.counters.positionsAsked++;
    if (!this.isOpenedByPeer) return this.open();
    this.sendHave(HaveFlag.ask | HaveFlag.digestOnly);
    this.exchange.forkWatch.tell(this);
  }

  /** Reads what the peer lacks and pushes it. Returns false when there is nothing to do. */
  push(): boolean {
    if (this.#isReading || !this.#knowsTheirs || !this.isOpenedByPeer) return false;
    if (!this.#hasUnsent()) return false;
    this.#isReading = true;
    const above = new Map<LaneId, number>();
    for (const lane of this.exchange.ledger.durable.keys()) above.set(lane, this.#above(lane));
    const ask = { document: this.document, above, bytesMax: this.#context.limits.readBytesMax };
    this.#context.request("read", ask, ({ envelopes, lanes }) => {
      this.#isReading = false;
      if (!this.session.isLive) return;
      this.#pushAll(envelopes, lanes);
      if (envelopes.length > 0) this.session.wantsToPush(this);
    });
    return true;
  }

  #above(lane: LaneId): number {
    const isOut = this.#suspended.has(lane) || this.exchange.ledger.isFrozen(lane);
    return isOut ? Number.MAX_SAFE_INTEGER : (this.#sent.get(lane) ?? 0);
  }

  #hasUnsent(): boolean {
    for (const [lane, { seq }] of this.exchange.ledger.durable) {
      if (seq > this.#above(lane)) return true;
    }
    return false;
  }

  /** In the order of arrival, so that the peer never gets an effect before its cause (I10). */
  #pushAll(envelopes: readonly Envelope[], lanes: ReadonlyMap<LaneId, LaneDescriptor>): void {
    for (const run of runsOf(envelopes, this.#context.limits.pushBytesMax)) {
      const first = run[0]!;
      const last = run.at(-1)!;
      const lane = lanes.get(first.lane);
      if (lane === undefined || first.seq > this.#above(first.lane) + 1) return;
      if (last.seq <= this.#above(first.lane)) continue;
      if (!this.#checkClaim(first)) continue;
      if (!this.session.isCreditOpen) return;
      this.#sendRun(lane, run);
    }
  }

  #sendRun(lane: LaneDescriptor, run: readonly Envelope[]): void {
    const first = run[0]!;
    const laneRef = this.session.refOfLane(lane);
    this.session.send({
      name: "push",
      documentRef: this.ourRef,
      laneRef,
      firstSeq: first.seq,
      prev: first.prev,
      envelopes: run.map(packEnvelope),
    });
    this.#sent.set(lane.id, run.at(-1)!.seq);
    this.#lastPushMs = this.#context.nowMs;
    this.#context.counters.envelopesSent += run.length;
  }

  /** The first envelope after a claimed position names the id there, and so proves or refutes it. */
  #checkClaim(first: Envelope): boolean {
    const claim = this.#claimed.get(first.lane);
    if (claim === undefined || claim.seq !== first.seq - 1) return true;
    this.#claimed.delete(first.lane);
    if (equalBytes(first.prev.subarray(0, headBytes), claim.head)) {
      this.#confirm(first.lane, claim.seq);
      return true;
    }
    this.exchange.forkWatch.suspect(this, first.lane, claim.seq);
    return false;
  }

  #comparePositions(positions: ReadonlyMap<LaneId, WirePosition>): void {
    const { ledger, forkWatch } = this.exchange;
    const isQuiet = this.#context.nowMs - this.#lastPushMs >= this.#context.limits.retryMsMin;
    const mayLower = isQuiet || !this.#knowsTheirs;
    this.#knowsTheirs = true;
    // What was said before may have been damaged on the way; the last word counts.
    this.#theirs.clear();
    for (const { lane, seq, head } of positions.values()) {
      this.#theirs.set(lane, seq);
      const durableSeq = ledger.durableSeq(lane);
      if (seq > durableSeq || seq === 0) continue;
      const agrees = ledger.agrees(lane, seq, head);
      if (agrees === true) this.#confirm(lane, seq);
      else if (agrees === false) forkWatch.suspect(this, lane, seq);
      else if (seq > (this.#confirmed.get(lane) ?? 0)) {
        this.#claimed.set(lane, { seq, head: head.slice() });
        if (mayLower) this.#sent.set(lane, seq);
      }
    }
    for (const [lane, durable] of ledger.durable) {
      const seq = positions.get(lane)?.seq ?? 0;
      const floor = Math.max(seq, this.#confirmed.get(lane) ?? 0);
      const sent = this.#sent.get(lane) ?? 0;
      if (mayLower || sent < floor) this.#sent.set(lane, Math.min(floor, durable.seq));
    }
    this.changed();
  }

  #confirm(lane: LaneId, seq: number): void {
    if (seq > (this.#confirmed.get(lane) ?? 0)) this.#confirmed.set(lane, seq);
    if (seq > (this.#sent.get(lane) ?? 0)) this.#sent.set(lane, seq);
    if (seq > (this.#theirs.get(lane) ?? 0)) this.#theirs.set(lane, seq);
  }

  #computeSettled(): boolean {
    if (!this.#knowsTheirs || !this.isOpenedByPeer) return false;
    const { ledger } = this.exchange;
    const isOut = (lane: LaneId) => this.#suspended.has(lane) || ledger.isFrozen(lane);
    for (const [lane, { seq }] of ledger.durable) {
      if ((this.#confirmed.get(lane) ?? 0) < seq && !isOut(lane)) return false;
    }
    for (const lane of ledger.forks.keys()) if (!this.knowsFork(lane)) return false;
    for (const [lane, seq] of this.#theirs) {
      if (ledger.durableSeq(lane) < seq && !isOut(lane)) return false;
    }
    return true;
  }

  #progressed(): void {
    this.#attempts = 0;
    this.#scheduleRetry();
  }

  #scheduleRetry(): void {
    const { limits, nowMs, options } = this.#context;
    const bounds = { delayMsMin: limits.retryMsMin, delayMsMax: limits.retryMsMax };
    this.#dueMs = nowMs + fullJitter(this.#attempts + 1, bounds, options.random);
  }
}

/** Cuts envelopes into what one PUSH holds: one lane without gaps, ending where it is signed. */
function runsOf(envelopes: readonly Envelope[], bytesMax: number): Envelope[][] {
  const runs: Envelope[][] = [];
  let run: Envelope[] = [];
  let bytes = 0;
  for (const envelope of envelopes) {
    const before = run.at(-1);
    const follows = before?.lane === envelope.lane && before.seq + 1 === envelope.seq;
    const isFull = before?.signature !== undefined && bytes + envelope.bytes.length > bytesMax;
    const isLong = run.length >= wireLimits.envelopesPerPushMax;
    if (run.length > 0 && (!follows || isFull || isLong)) {
      runs.push(run);
      run = [];
      bytes = 0;
    }
    run.push(envelope);
    bytes += envelope.bytes.length;
  }
  if (run.length > 0) runs.push(run);
  return runs;
}
