import {
  equalBytes,
  HeddleErrorCode,
  signedAtEnd,
  type Envelope,
  type LaneDescriptor,
  type LaneId,
} from "@heddle/core";

import type { DocumentLedger } from "./document-ledger.ts";
import type { DocumentLink } from "./document-link.ts";
import { EarlyEffects } from "./early-effects.ts";
import { ForkWatch } from "./fork-watch.ts";
import { HaveFlag } from "./frame-shapes.ts";
import { HeldPresences } from "./held-presence.ts";
import { LaneGaps } from "./lane-gaps.ts";
import { LaneSources } from "./lane-sources.ts";
import { nakCheck, NakCode } from "./nak-code.ts";
import type { OfferedRun, PendingRun } from "./offered-run.ts";
import type { SyncContext } from "./sync-context.ts";
import type { AdoptAnswer, OfferedCheckpoint, RunVerdict, StoreAnswer } from "./sync-effects.ts";

/** What can go wrong with the disk below. */
export interface ExchangeTroubles {
  /** Nobody knows any more what is on disk, of any document. */
  onFailure(): void;
  /** Nobody knows it of this one. */
  onLost(): void;
}

/**
 * What comes in for one document, from all sessions, becomes one order:
 *
 *   run ──compare──► accepted ──signature──► verified ──in order of acceptance──► stored ──► ACK
 *          │ early ─► reorder buffer, PULL          │ bad ─► taken back, refused
 *          └ other history ─► fork watch            └ incomplete ─► taken back, comes again
 */
export class DocumentExchange {
  readonly ledger: DocumentLedger;
  readonly forkWatch: ForkWatch;
  readonly gaps: LaneGaps;
  readonly sources: LaneSources;
  /** Lanes that this device was seen to write. */
  readonly ownLanes = new Set<LaneId>();
  readonly #context: SyncContext;
  readonly #troubles: ExchangeTroubles;
  readonly #presences: HeldPresences;
  readonly #early = new EarlyEffects();
  /** Runs that were accepted; and those of them that were stored or dropped. */
  #runsAccepted = 0;
  #runsSettled = 0;
  #queue: PendingRun[] = [];
  /** On its way to disk; it cannot be called back. */
  #storing: readonly PendingRun[] = [];
  /** A checkpoint that is next, or on its way to disk. Runs wait until it is there. */
  #adoption: { readonly begin: () => void; isBegun: boolean } | undefined;
  #isLost = false;

  constructor(context: SyncContext, ledger: DocumentLedger, troubles: ExchangeTroubles) {
    this.#context = context;
    this.#troubles = troubles;
    this.ledger = ledger;
    this.forkWatch = new ForkWatch(context, this);
    this.gaps = new LaneGaps(context, this);
    this.sources = new LaneSources(context, this);
    this.#presences = new HeldPresences(context);
  }

  /** Nothing is between here and the disk: a reading of it finds all that was accepted. */
  get isIdle(): boolean {
    const isStoring = this.#storing.length > 0 || this.#adoption !== undefined;
    return this.#queue.length === 0 && !isStoring;
  }

  /** Local envelopes are on disk. */
  storedHere(run: readonly Envelope[]): void {
    const fresh = run.filter(({ lane, seq }) => seq > this.ledger.durableSeq(lane));
    if (fresh.length === 0) return;
    this.ledger.accept(fresh);
    this.ledger.stored(fresh);
    const { lane } = fresh[0]!;
    this.ownLanes.add(lane);
    for (const link of this.#links) link.sharing.stored(lane, false);
    this.#changed();
  }

  /** A run that a peer pushed; not empty. */
  offer(link: DocumentLink, lane: LaneDescriptor, offered: OfferedRun): void {
    const { run: pushed, isPlaced, release } = offered;
    const { counters } = this.#context;
    const run = pushed.slice(0, pushed.findLastIndex(({ signature }) => signature) + 1);
    counters.envelopesReceived += pushed.length;
    counters.unsigned += pushed.length - run.length;
    if (this.ledger.isFrozen(lane.id)) {
      this.nak(link, lane.id, pushed[0]!.seq, NakCode.forked);
      return release();
    }
    if (run.length === 0) return release();
    // Only what the peer said itself is evidence.
    if (!isPlaced) this.forkWatch.compare(link, lane, run);
    const { fresh, duplicates, gap, forkSeq } = this.ledger.compare(run);
    counters.duplicates += duplicates;
    if (lane.id === this.#context.writtenLane && fresh.length + (gap ? 1 : 0) > 0) {
      const event = { name: "lane.taken", document: this.ledger.entry.id, lane: lane.id } as const;
      this.#context.emit({ type: "event", event });
      link.changed();
      return release();
    }
    if (forkSeq !== undefined) this.forkWatch.suspect(link, lane.id, forkSeq);
    if (gap && link.mayClaim(lane.id)) {
      counters.gaps++;
      this.#context.reorderBuffer.add({ origin: link, document: this.ledger.entry.id, lane, run });
      this.gaps.found(link, lane.id, gap.toSeq);
    }
    if (forkSeq === undefined) link.receivedFromPeer(lane.id, run.at(-1)!.seq);
    this.sources.arrived(link, lane.id, fresh.length > 0 || gap !== undefined);
    if (fresh.length === 0 || fresh.at(-1)!.signature === undefined) {
      if (duplicates > 0) link.acks.add([lane.id]);
      return release();
    }
    this.#accept({
      link,
      lane,
      run: fresh,
      isPlaced,
      release,
      isVerified: false,
      isDropped: false,
    });
  }

  /** A run came that does not say what it follows, and nobody here knows: it has to come again. */
  unplaced(
    link: DocumentLink,
    lane: LaneId,
    { firstSeq, lastSeq }: { readonly firstSeq: number; readonly lastSeq: number },
  ): void {
    if (this.ledger.isFrozen(lane)) return this.nak(link, lane, firstSeq, NakCode.forked);
    link.receivedFromPeer(lane, lastSeq);
    if (firstSeq > this.ledger.acceptedSeq(lane)) {
      if (!link.mayClaim(lane)) return;
      this.#context.counters.gaps++;
      return this.gaps.found(link, lane, lastSeq);
    }
    const documentRef = link.ourRef;
    link.session.send({ name: "pull", documentRef, lane, fromSeq: firstSeq, toSeq: lastSeq });
  }

  /** Presence that a peer sent: passed on when all that came before it is stored. */
  show(link: DocumentLink, payload: Uint8Array, release: () => void): void {
    const { counters } = this.#context;
    counters.ephemeralsReceived++;
    // Of this peer: what others lack, or make up, is nothing to it.
    if (this.gaps.isBehindGap(link)) {
      counters.ephemeralDropped++;
      return release();
    }
    this.#presences.hold(link, payload, this.#runsAccepted, release);
    this.#settlePresence();
  }

  /** A whole checkpoint that a peer served. `then` hears what became of it, unless the store failed. */
  adopt(offered: OfferedCheckpoint, then: (answer: AdoptAnswer) => void): void {
    const begin = (): void => {
      this.#context.request("adoptCheckpoint", offered, (answer) => {
        this.#adoption = undefined;
        if (answer.outcome === "failed") return this.#troubles.onFailure();
        if (answer.outcome === "adopted") this.#adopted(offered, answer);
        then(answer);
        if (answer.outcome === "unreadable") return this.#lose();
        this.#settlePresence();
        this.#storeVerified();
      });
    };
    this.#adoption = { begin, isBegun: false };
    this.#storeVerified();
  }

  #adopted(
    { entry, header }: OfferedCheckpoint,
    answer: Extract<AdoptAnswer, { readonly outcome: "adopted" }>,
  ): void {
    this.#context.arrived(answer.arrival);
    const raised = this.ledger.raise(answer.vector);
    this.ledger.checkpointed(answer.checkpoint, answer.floors);
    for (const lane of raised) {
      // What was on its way is in the checkpoint, or comes again on top of it.
      for (const pending of this.#queue) if (pending.lane.id === lane) pending.isDropped = true;
      this.ledger.takeBack(lane);
      this.gaps.filled(lane);
    }
    const event = { name: "document.adopted", entry, checkpoint: header } as const;
    this.#context.emit({ type: "event", event });
    for (const link of this.#links) {
      for (const lane of raised) link.sharing.stored(lane, true);
      link.sendHave(HaveFlag.ask);
      link.changed();
    }
    for (const lane of raised) this.#drainBuffer(lane);
    this.#reviewHeld();
  }

  /** Nobody knows what is on disk: nothing more is taken here, and who comes next reads it anew. */
  #lose(): void {
    this.#isLost = true;
    this.#presences.drop();
    for (const { release } of this.#queue.splice(0)) release();
    this.#troubles.onLost();
  }

  /** Refuses what begins at `seq` in a lane. */
  nak(link: DocumentLink, lane: LaneId, seq: number, code: number): void {
    const documentRef = link.ourRef;
    const { hash } = this.#context.options;
    const check = nakCheck(hash, { document: this.ledger.entry.id, lane, seq, code });
    link.session.send({ name: "nak", documentRef, lane, seq, code, reason: "", check });
  }

  /** Drops what was accepted of a lane and is not being stored. */
  takeBack(lane: LaneId): void {
    const last = this.#storing.findLast((pending) => pending.lane.id === lane)?.run.at(-1);
    this.ledger.takeBack(lane, last && { seq: last.seq, head: last.id });
    for (const pending of this.#queue) if (pending.lane.id === lane) pending.isDropped = true;
    this.#context.reorderBuffer.forget((early) => {
      return early.document === this.ledger.entry.id && early.lane.id === lane;
    });
  }

  #accept(offered: PendingRun): void {
    // Not what this session said of the lane, which may be damaged in its signature alone.
    const known = this.#context.lanes.get(offered.lane.id);
    const run = signedAtEnd(offered.run);
    const pending = { ...offered, run, lane: known ?? offered.lane };
    const { lane } = pending;
    this.ledger.accept(run);
    this.#queue.push(pending);
    this.#runsAccepted++;
    const isLaneNew = known === undefined;
    this.#context.request("verifyRun", { lane, isLaneNew, run }, (isGood) => {
      if (isGood) this.#verified(pending);
      else this.#refuse(pending);
      pending.isVerified = true;
      this.#storeVerified();
    });
    this.#drainBuffer(lane.id);
    this.#reviewHeld();
  }

  /** What was announced is here, or will be before whatever is taken now. */
  #reviewHeld(): void {
    for (const { sharing } of this.#links) if (sharing.runs.isHolding) sharing.runs.review();
  }

  #drainBuffer(lane: LaneId): void {
    const { id } = this.ledger.entry;
    const early = this.#context.reorderBuffer.take(id, lane, this.ledger.acceptedSeq(lane) + 1);
    if (!early) return;
    const { origin, lane: ofEarly, run } = early;
    this.offer(origin, ofEarly, { run, isPlaced: false, release: () => {} });
    // It may have been overtaken, and what follows is still here.
    this.#drainBuffer(lane);
  }

  #verified({ link, lane, isPlaced }: PendingRun): void {
    this.#context.lanes.add(lane);
    if (!isPlaced) link.placing.verified(lane.id);
  }

  #refuse({ link, lane, run, isPlaced, isDropped }: PendingRun): void {
    if (isDropped) return;
    this.takeBack(lane.id);
    if (isPlaced) {
      // Its author may have gone on from another envelope than the one here: that is a fork, not a forgery.
      this.#context.counters.runsUnplaced++;
      link.placing.failed(lane.id);
      return this.unplaced(link, lane.id, { firstSeq: run[0]!.seq, lastSeq: run.at(-1)!.seq });
    }
    this.#context.counters.signaturesBad++;
    this.nak(link, lane.id, run[0]!.seq, NakCode.badSignature);
    // Either side may have the wrong idea of the lane's number: both begin anew, or the peer forges.
    link.session.close(HeddleErrorCode.frameMalformed);
  }

  /** Everything verified at the head of the queue goes to disk at once. */
  #storeVerified(): void {
    if (this.#storing.length > 0 || this.#adoption?.isBegun || this.#isLost) return;
    if (this.#adoption) {
      this.#adoption.isBegun = true;
      return this.#adoption.begin();
    }
    const end = this.#queue.findIndex(({ isVerified }) => !isVerified);
    const verified = this.#queue.splice(0, end < 0 ? this.#queue.length : end);
    for (const { isDropped, release } of verified) if (isDropped) release();
    const batch = verified.filter(({ isDropped }) => !isDropped);
    if (batch.length < verified.length) this.#presences.drop();
    this.#runsSettled += verified.length - batch.length;
    if (batch.length === 0) return;
    this.#storing = batch;
    const { entry } = this.ledger;
    this.#context.request("store", { entry, runs: batch }, (answer) => {
      this.#storing = [];
      for (const { release } of batch) release();
      if (answer.outcome === "failed") return this.#troubles.onFailure();
      this.#settle(batch, answer);
      this.#runsSettled += batch.length;
      this.#settlePresence();
      this.#storeVerified();
    });
  }

  #settle(
    batch: readonly PendingRun[],
    { verdicts, arrival }: Extract<StoreAnswer, { readonly outcome: "stored" }>,
  ): void {
    this.#context.arrived(arrival);
    const toAck = new Map<DocumentLink, Set<LaneId>>();
    const stored: Envelope[] = [];
    const early: PendingRun[] = [];
    const { hasOutbox = true, devicePublicKey } = this.#context.options;
    for (const [index, { link, lane, run }] of batch.entries()) {
      const isStored = verdicts[index] === "stored";
      if (isStored && run.at(-1)!.seq <= this.ledger.durableSeq(lane.id)) {
        // Overtaken by what was written here: whether that is the same, ids have to show.
        this.#context.counters.duplicates += run.length;
        link.changed();
      } else if (isStored) {
        this.ledger.stored(run);
        stored.push(...run);
        // Of a tab of this device: what it has written, this device has.
        const isOwn = equalBytes(lane.devicePublicKey, devicePublicKey);
        if (isOwn) this.ownLanes.add(lane.id);
        if (isOwn && hasOutbox) this.#context.outbox.written(run);
        for (const each of this.#links) each.sharing.stored(lane.id, each === link);
        link.storedFromPeer(lane.id, run.at(-1)!.seq);
        this.gaps.filled(lane.id);
        toAck.set(link, (toAck.get(link) ?? new Set()).add(lane.id));
        this.#early.stored(lane.id);
      } else {
        this.#notStored(batch[index]!, verdicts[index]!);
        if (verdicts[index] === "incomplete") early.push(batch[index]!);
      }
    }
    const { entry } = this.ledger;
    for (const { link: origin, lane, run } of early.filter((each) =>
      this.#early.came(each.lane.id),
    )) {
      this.#context.reorderBuffer.add({ origin, document: entry.id, lane, run });
    }
    this.#context.counters.envelopesStored += stored.length;
    for (const [link, lanes] of toAck) link.acks.add(lanes);
    if (stored.length === 0) return;
    const event = { name: "document.received", entry, envelopes: stored } as const;
    this.#context.emit({ type: "event", event });
    this.#changed();
    this.sources.stored();
    for (const lane of this.#early.lanes) this.#drainBuffer(lane);
  }

  #notStored({ link, lane, run }: PendingRun, verdict: RunVerdict): void {
    const { counters } = this.#context;
    this.#presences.drop();
    this.takeBack(lane.id);
    const [{ seq }] = run as readonly [Envelope];
    if (verdict === "forbidden") {
      counters.runsForbidden++;
      this.nak(link, lane.id, seq, NakCode.forbidden);
      // What the peer has of it is nothing that is missing here.
      link.positions.suspend(lane.id, NakCode.forbidden);
    } else counters.incomplete++;
    if (verdict === "refused") this.nak(link, lane.id, seq, NakCode.refused);
    link.changed();
  }

  #settlePresence(): void {
    if (this.#adoption === undefined) this.#presences.settled(this.#runsSettled);
  }

  #changed(): void {
    for (const link of this.#links) link.changed();
  }

  get #links(): readonly DocumentLink[] {
    return this.#context.linksOf(this.ledger.entry.id);
  }
}
