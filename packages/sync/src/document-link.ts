import { encodeHlc, equalBytes, HeddleErrorCode, type DocumentId, type LaneId } from "@heddle/core";

import type { DocumentExchange } from "./document-exchange.ts";
import { HaveFlag, type AckedPosition, type WirePosition } from "./frame-shapes.ts";
import type { FrameOf } from "./frame.ts";
import { LinkAcks } from "./link-acks.ts";
import { LinkDigests } from "./link-digests.ts";
import { LinkLag } from "./link-lag.ts";
import { LinkPresence } from "./link-presence.ts";
import { LinkPusher } from "./link-pusher.ts";
import type { LinkSession } from "./link-session.ts";
import { LinkSharing } from "./link-sharing.ts";
import { isPermanentNak, nakCheck, NakCode } from "./nak-code.ts";
import { PeerPositions, type SuspectLane } from "./peer-positions.ts";
import { ackFrames, haveFrames, type PositionsReader } from "./position-frames.ts";
import { fullJitter } from "./retry-policy.ts";
import { RunPlacing } from "./run-placing.ts";
import type { SyncContext } from "./sync-context.ts";

/** After so many in vain a document does not keep others waiting for their turn. */
const unansweredAttempts = 3;

/**
 * One document on one session: says what is on our disk, hears what is on the peer's.
 *
 *   opening ──HAVE──► exchanging ──nothing missing on either side──► settled ──a change──► exchanging
 *
 * Both sides only ever state what is on their disks, so any doubt ends with another HAVE.
 */
export class DocumentLink {
  readonly exchange: DocumentExchange;
  readonly session: LinkSession;
  readonly ourRef: number;
  readonly positions: PeerPositions;
  readonly presence: LinkPresence;
  readonly acks: LinkAcks;
  readonly placing: RunPlacing;
  readonly lag: LinkLag;
  readonly sharing: LinkSharing;
  /** The peer has said OPEN. */
  isOpenedByPeer = false;
  /** When neither side lacked anything any more. */
  settledMs = 0;
  /** Something of the document that the peer sent is on our disk. */
  hasReceived = false;
  readonly #context: SyncContext;
  readonly #pusher: LinkPusher;
  readonly #digests: LinkDigests;
  readonly #havePieces = new Map<LaneId, WirePosition>();
  /** Of those of the session, how many are of this document. */
  #claims = 0;
  #isUnsettled = true;
  #isOver = false;
  #isSaidAgain = false;
  #attempts = 0;
  #dueMs = 0;

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
    const { ledger } = exchange;
    this.sharing = new LinkSharing(context, this);
    const onConfirmed = (lane: LaneId, seq: number): void => {
      const head = ledger.idAt(lane, seq);
      context.outbox.confirmed(session.peer, { document: this.document, lane, seq, head });
    };
    const isHeld = (lane: LaneId) => this.sharing.held.holds(lane);
    this.positions = new PeerPositions(ledger, onConfirmed, isHeld);
    for (const { lane, code } of context.refusedLanes.of(session.peer.store, this.document)) {
      this.positions.suspend(lane, code);
    }
    this.#digests = new LinkDigests(context, this);
    this.lag = new LinkLag(context, this);
    this.#pusher = new LinkPusher(context, this);
    this.presence = new LinkPresence(context, this);
    this.placing = new RunPlacing(ledger);
    this.acks = new LinkAcks(context, (lanes) => this.#sendAcks(lanes));
  }

  get document(): DocumentId {
    return this.exchange.ledger.entry.id;
  }

  /** The peer's history of a lane is not ours, at `seq` at the latest. */
  readonly suspect: SuspectLane = (lane, seq) => {
    this.exchange.forkWatch.suspect(this, lane, seq);
  };

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

  /**
   * The peer has not heard our OPEN, does not take the document, or has closed it: that is not told
   * apart. OPEN is said once more at once, and then, until the peer speaks of the document, only as often
   * as everything that nothing came of.
   */
  unknownToPeer(): void {
    if (this.#isSaidAgain) return;
    this.#isSaidAgain = true;
    this.#openAgain();
  }

  #openAgain(): void {
    this.open();
    // What was pushed under that number is lost, and the causes of what comes next with it (I10).
    this.resend();
  }

  /** The peer exchanges the document from now on. */
  openedByPeer(): void {
    this.isOpenedByPeer = true;
    this.sharing.opened();
    this.exchange.sources.review();
    this.changed();
    this.presence.opened();
  }

  closedByPeer(): void {
    this.isOpenedByPeer = false;
    this.exchange.sources.review();
  }

  /** States our positions; all of them unless only the digest is wanted. */
  sendHave(flags: number): void {
    for (const frame of haveFrames(this.exchange.ledger, this.#reader, flags)) {
      this.session.send(frame);
    }
  }

  receiveHave(have: FrameOf<"have">): void {
    this.#isSaidAgain = false;
    const asks = (have.flags & HaveFlag.ask) !== 0;
    const isShort = (have.flags & HaveFlag.digestOnly) !== 0;
    if (equalBytes(have.digest, this.exchange.ledger.digest)) {
      this.#havePieces.clear();
      this.positions.equal();
      this.#countClaims();
      this.exchange.sources.claimed(this);
      if (asks) this.sendHave(HaveFlag.digestOnly);
      // Equal logs, and yet it may not know what others hold instead of a part of them.
      this.exchange.forkWatch.tell(this);
      this.#progressed();
      return;
    }
    if (isShort) {
      this.sendHave(HaveFlag.ask);
      return;
    }
    const { lanesPerDocumentMax, claimsPerSessionMax } = this.#context.limits;
    if (this.session.claims.count + have.positions.length > claimsPerSessionMax) {
      // Asked for again, when other documents are done with.
      this.#context.counters.framesRefused++;
      this.#havePieces.clear();
      return this.#countClaims();
    }
    for (const position of have.positions) this.#havePieces.set(position.lane, position);
    this.#countClaims();
    if (this.#havePieces.size > lanesPerDocumentMax) {
      return this.session.close(HeddleErrorCode.relayOverloaded);
    }
    if ((have.flags & HaveFlag.more) !== 0) return;
    const positions = new Map(this.#havePieces);
    this.#havePieces.clear();
    const isFirst = !this.positions.isHeard;
    if (isFirst) {
      this.#context.outbox.restated(this.session.peer, this.document, (lane) => {
        // It may have been on its way while later ones were proven.
        return Math.max(positions.get(lane)?.seq ?? 0, this.positions.confirmedSeq(lane));
      });
    }
    this.positions.replace(positions, this.#pusher.isQuiet, this.suspect);
    if (isFirst) this.sharing.heard();
    this.heardMore(false);
    this.exchange.sources.claimed(this);
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
      if (seq > this.positions.confirmedSeq(lane)) this.#progressed();
      this.positions.confirm(lane, seq);
    }
  }

  receivePull({ lane, fromSeq }: FrameOf<"pull">): void {
    const { ledger } = this.exchange;
    this.sharing.pulled(lane, fromSeq);
    if (fromSeq < 1 || fromSeq > ledger.durableSeq(lane)) return;
    // What the peer is proven to have, and we have no more: it asks about a fork, and we cannot tell.
    const isGone = fromSeq <= (ledger.floors.get(lane) ?? 0);
    if (isGone && this.positions.confirmedSeq(lane) >= fromSeq) return;
    this.#pusher.pulled(lane);
    if (this.sharing.sendAgain(lane, fromSeq)) this.session.wantsToPush(this);
  }

  receiveCheckpointGet(frame: FrameOf<"checkpointGet">): void {
    this.#pusher.checkpoints.receiveGet(frame);
  }

  /** The peer has these on disk: it pushed them. */
  receivedFromPeer(lane: LaneId, seq: number): void {
    if (this.mayClaim(lane)) this.positions.shown(lane, seq);
    this.#countClaims();
    this.changed();
  }

  /** There is room to remember that the peer has more of one more lane. */
  mayClaim(lane: LaneId): boolean {
    const isKnown = this.positions.theirSeq(lane) > 0;
    return isKnown || this.session.claims.count < this.#context.limits.claimsPerSessionMax;
  }

  /** The peer has said more of what it has; `isProgress` where that was proven. */
  heardMore(isProgress: boolean): void {
    this.#countClaims();
    this.changed();
    if (isProgress) this.#progressed();
  }

  /** Our disk has them too, with the same ids, so they are known to be on the peer's. */
  storedFromPeer(lane: LaneId, seq: number): void {
    this.hasReceived = true;
    this.positions.confirm(lane, seq);
    this.#countClaims();
    this.#progressed();
  }

  /** Says how far lanes that the peer pushed are on our disk. */
  #sendAcks(lanes: Iterable<LaneId>): void {
    const refOf = (lane: LaneId) => this.session.refOfPeerLane(lane);
    for (const frame of ackFrames(this.exchange.ledger, this.#reader, lanes, refOf)) {
      this.session.send(frame);
    }
  }

  get #reader(): PositionsReader {
    return { documentRef: this.ourRef, frameBytesMax: this.session.peer.frameBytesMax };
  }

  /** A run of the lane from `seq` on was not taken. */
  receiveNak({ lane, seq, code, reason, check }: FrameOf<"nak">): void {
    const { hash } = this.#context.options;
    const wanted = nakCheck(hash, { document: this.document, lane, seq, code });
    const isWhole = check !== undefined && equalBytes(check, wanted);
    if (!isWhole) this.#context.counters.naksDamaged++;
    if (!isWhole || !isPermanentNak(code)) return this.changed();
    this.positions.suspend(lane, code);
    const { outbox, refusedLanes } = this.#context;
    if (code === NakCode.forked || !outbox.own.isOwn(lane)) return;
    const { store } = this.session.peer;
    refusedLanes.add({ store, document: this.document, lane, seq, code, reason });
  }

  /** The application wants a refused lane to be tried again. */
  retry(lane: LaneId): void {
    this.positions.resume(lane);
    this.changed();
  }

  /** Who may write what may have changed: lanes that were refused for that are offered again. */
  retryForbidden(): void {
    this.positions.resumeAll(NakCode.forbidden);
    this.changed();
  }

  receiveDigest(frame: FrameOf<"digest">): void {
    this.#digests.receive(frame);
  }

  /** See {@link LinkDigests.ask}. */
  askDigest(): void {
    this.#digests.ask();
  }

  /** The peer may have forgotten, or never got, what was sent. */
  resend(): void {
    this.positions.sendAllAgain();
    for (const lane of this.positions.lacking.keys()) this.sharing.announcer.add(lane);
    this.session.wantsToPush(this);
  }

  /** Something is on disk that the peer may lack. */
  changed(): void {
    if (!this.#isUnsettled) {
      this.#scheduleRetry();
      // The peer gave it up while there was nothing to say.
      if (!this.isOpenedByPeer) this.#dueMs = this.#context.nowMs;
    }
    this.#isUnsettled = true;
    this.session.wantsToPush(this);
  }

  /** Neither side lacks anything that the other has, as far as it can be had. */
  get isSettled(): boolean {
    if (!this.#isUnsettled) return true;
    this.#isUnsettled = !this.positions.areEqual || !this.isOpenedByPeer;
    this.#countClaims();
    if (this.#isUnsettled) return false;
    this.settledMs = this.#context.nowMs;
    this.#context.outbox.settled(this.document);
    const event = {
      name: "document.settled",
      peer: this.session.key,
      document: this.document,
    } as const;
    this.#context.emit({ type: "event", event });
    return true;
  }

  /** Nothing came of it when the peer was asked, more than once: it may be a while. */
  get isUnanswered(): boolean {
    return this.#attempts >= unansweredAttempts;
  }

  /** Asks again when too long nothing came of it. */
  tick(): void {
    this.acks.tick();
    this.sharing.announcer.tick();
    this.sharing.runs.review();
    this.#digests.tick(this.isSettled);
    this.lag.tick(this.isSettled);
    if (this.isSettled || this.#context.nowMs < this.#dueMs) return;
    this.#attempts++;
    this.#scheduleRetry();
    this.#context.counters.positionsAsked++;
    if (this.#isSaidAgain) return this.#openAgain();
    if (!this.isOpenedByPeer) return this.open();
    // What it answers with is answered with forks, too.
    this.sendHave(HaveFlag.ask | HaveFlag.digestOnly);
  }

  /** Somebody waits for the peer to have what it was sent. */
  askAck(): void {
    if (this.positions.isHeard && this.positions.missingCount > 0) this.#pusher.askAck();
  }

  /** Reads what the peer lacks and pushes it. */
  push(): void {
    this.#pusher.push();
  }

  /** The document is not exchanged on this session any more. */
  end(): void {
    this.isOpenedByPeer = false;
    this.#isOver = true;
    this.sharing.runs.drop();
    this.session.claims.count -= this.#claims;
  }

  #countClaims(): void {
    if (this.#isOver) return;
    const claims = this.#havePieces.size + this.positions.claimsCount;
    this.session.claims.count += claims - this.#claims;
    this.#claims = claims;
  }

  #progressed(): void {
    this.#attempts = 0;
    this.lag.progressed();
    this.#scheduleRetry();
  }

  #scheduleRetry(): void {
    const { limits, nowMs, options } = this.#context;
    const { isHeard, isBehind } = this.positions;
    // Where only an acknowledgement is missing, it may be gathering others.
    const patienceMs = isHeard && !isBehind ? limits.ackEveryMs : 0;
    const bounds = { delayMsMin: limits.retryMsMin + patienceMs, delayMsMax: limits.retryMsMax };
    this.#dueMs = nowMs + fullJitter(this.#attempts + 1, bounds, options.random);
  }
}
