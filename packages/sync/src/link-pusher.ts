import type { Envelope, LaneDescriptor, LaneId } from "@heddle/core";

import { CheckpointSender } from "./checkpoint-sender.ts";
import type { DocumentLink } from "./document-link.ts";
import { PushFlag } from "./frame-shapes.ts";
import { packEnvelope } from "./packed-envelope.ts";
import type { SyncContext } from "./sync-context.ts";
import { wireLimits } from "./wire-limits.ts";

/** Reads from the log what the peer of a link lacks, and pushes it while there is credit. */
export class LinkPusher {
  readonly checkpoints: CheckpointSender;
  readonly #context: SyncContext;
  readonly #link: DocumentLink;
  /** Up to where the peer was sent each lane on this session, without a gap at the end. */
  readonly #sentSeqs = new Map<LaneId, number>();
  /** Lanes that the peer asked for: what comes next says what it follows. */
  readonly #inFull = new Set<LaneId>();
  #isReading = false;
  #lastPushMs = -Infinity;

  constructor(context: SyncContext, link: DocumentLink) {
    this.#context = context;
    this.#link = link;
    this.checkpoints = new CheckpointSender(context, link);
  }

  /** What was pushed last has arrived by now, or never will. */
  get isQuiet(): boolean {
    return this.#context.nowMs - this.#lastPushMs >= this.#context.limits.retryMsMin;
  }

  /** The peer asks for a lane, maybe because it could not tell what the last run of it follows. */
  pulled(lane: LaneId): void {
    this.#inFull.add(lane);
  }

  /** Asks the peer to acknowledge what it was sent, and has not yet because more may come. */
  askAck(): void {
    this.#link.session.send({
      name: "push",
      documentRef: this.#link.ourRef,
      laneRef: 0,
      firstSeq: 0,
      prev: undefined,
      envelopes: [],
      flags: PushFlag.ask,
    });
  }

  /** Reads what the peer lacks and pushes it. Does nothing when there is nothing to do. */
  push(): void {
    const { session, positions, exchange, document } = this.#link;
    this.#link.sharing.announcer.tick();
    const isReady = !this.#isReading && positions.isHeard && this.#link.isOpenedByPeer;
    if (!isReady || this.#advanceCheckpoint() || !positions.hasUnsent) return;
    this.#isReading = true;
    const above = new Map<LaneId, number>();
    for (const lane of exchange.ledger.durable.keys()) above.set(lane, positions.aboveSeq(lane));
    const upTo = positions.unsent;
    const ask = { document, above, upTo, bytesMax: this.#context.limits.readBytesMax };
    this.#context.request("read", ask, ({ envelopes, lanes }) => {
      this.#isReading = false;
      if (!session.isLive) return;
      this.#pushAll(envelopes, lanes);
      if (envelopes.length > 0) session.wantsToPush(this.#link);
    });
  }

  /** What is gone from the log comes to the peer from where it asks for it. */
  #advanceCheckpoint(): boolean {
    const { sharing, positions, exchange } = this.#link;
    const { isAsked: isHeld, pulled } = sharing.held;
    const isDue = !isHeld || positions.areBelow(pulled, exchange.ledger.floors);
    return isDue && this.checkpoints.advance();
  }

  /** In the order of arrival, so that the peer never gets an effect before its cause (I10). */
  #pushAll(envelopes: readonly Envelope[], lanes: ReadonlyMap<LaneId, LaneDescriptor>): void {
    const { session, positions } = this.#link;
    for (const run of runsOf(envelopes, this.#context.limits.pushBytesMax)) {
      const first = run[0]!;
      const last = run.at(-1)!;
      const lane = lanes.get(first.lane);
      if (lane === undefined || first.seq > positions.aboveSeq(first.lane) + 1) return;
      if (last.seq <= positions.aboveSeq(first.lane)) continue;
      if (!positions.checkClaim(first, this.#link.suspect)) continue;
      if (!session.isCreditOpen) return;
      this.#link.sharing.announcer.flush();
      this.#sendRun(lane, run);
    }
  }

  #sendRun(lane: LaneDescriptor, run: readonly Envelope[]): void {
    const { session, positions } = this.#link;
    const first = run[0]!;
    const laneRef = session.refOfLane(lane);
    session.send({
      name: "push",
      documentRef: this.#link.ourRef,
      laneRef,
      firstSeq: first.seq,
      prev: this.#isKnownBefore(first) ? undefined : first.prev,
      envelopes: run.map((envelope) => packEnvelope(envelope, lane)),
      flags: this.#context.isAwaited(this.#link.document) ? PushFlag.ask : 0,
    });
    const { seq } = run.at(-1)!;
    positions.sent(lane.id, seq);
    this.#sentSeqs.set(lane.id, seq);
    this.#inFull.delete(lane.id);
    this.#lastPushMs = this.#context.nowMs;
    this.#context.counters.envelopesSent += run.length;
    this.#tell(run);
  }

  #tell(run: readonly Envelope[]): void {
    if (!run.some(isNamed)) return;
    const envelopes = run.filter(isNamed);
    const { key: peer, peer: hello } = this.#link.session;
    const event = { name: "edits.pushed", peer, store: hello.store, envelopes } as const;
    this.#context.emit({ type: "event", event });
  }

  /**
   * The peer can tell by itself which id an envelope names as the one before: it was sent that one just
   * now, or has proven to hold it. Where it cannot after all, because a frame was lost, it asks.
   */
  #isKnownBefore({ lane, seq }: Envelope): boolean {
    if (this.#context.options.saysPrev || this.#inFull.has(lane)) return false;
    const before = seq - 1;
    const isSent = this.#sentSeqs.get(lane) === before;
    return isSent || this.#link.positions.confirmedSeq(lane) === before;
  }
}

function isNamed({ correlationId }: Envelope): boolean {
  return correlationId !== undefined;
}

/**
 * Whoever takes a run keeps the signature at its end only. With one at least every 48 envelopes, as
 * replicas sign them, none is further away than the proof of a fork may be long.
 */
const signedRunEnvelopes = 16;

/** Cuts envelopes into what one PUSH holds: one lane without gaps, ending where it is signed. */
function runsOf(envelopes: readonly Envelope[], bytesMax: number): Envelope[][] {
  const runs: Envelope[][] = [];
  let run: Envelope[] = [];
  let bytes = 0;
  for (const envelope of envelopes) {
    const before = run.at(-1);
    const follows = before?.lane === envelope.lane && before.seq + 1 === envelope.seq;
    const isEnough = bytes + envelope.bytes.length > bytesMax || run.length >= signedRunEnvelopes;
    const isFull = before?.signature !== undefined && isEnough;
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
