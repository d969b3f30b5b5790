import type { LaneDescriptor, LaneId } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import { HelloFeature } from "./frame-shapes.ts";
import type { FrameOf } from "./frame.ts";
import { HeldLanes } from "./held-lanes.ts";
import { HeldRuns } from "./held-runs.ts";
import { LinkAnnouncer } from "./link-announcer.ts";
import { featuresOf } from "./session-greeting.ts";
import type { SyncContext } from "./sync-context.ts";

/** A lane that the peer named, and where it stands in it. */
export interface AnnouncedPosition {
  readonly lane: LaneDescriptor;
  readonly seq: number;
  readonly head: Uint8Array;
}

/** One document on one session, as one of several ways that lead to it: what is pushed, and what announced. */
export class LinkSharing {
  readonly held: HeldLanes;
  readonly announcer: LinkAnnouncer;
  /** What the peer pushed behind its announcements. */
  readonly runs: HeldRuns;
  /** Both sides know how to. */
  readonly isAble: boolean;
  readonly #context: SyncContext;
  readonly #link: DocumentLink;

  constructor(context: SyncContext, link: DocumentLink) {
    this.#context = context;
    this.#link = link;
    const { exchange, session } = link;
    const both = session.peer.features & featuresOf(context.options);
    this.isAble = (both & HelloFeature.announce) !== 0;
    const isOwn = (lane: LaneId) => exchange.ownLanes.has(lane);
    this.held = new HeldLanes(isOwn, () => link.positions);
    this.announcer = new LinkAnnouncer(context, link);
    this.runs = new HeldRuns(context, (lane) => exchange.ledger.acceptedSeq(lane));
  }

  /** The peer opened the document anew: what it asked for before is over. */
  opened(): void {
    this.held.end();
  }

  /** The peer has said what it has, for the first time. */
  heard(): void {
    if (this.held.isAsked) this.held.owe(this.#link.positions.lacking);
  }

  /** More of a lane is on our disk. */
  stored(lane: LaneId, isOfPeer: boolean): void {
    this.#link.positions.stored(lane, this.#link.suspect);
    if (!isOfPeer) this.announcer.add(lane);
  }

  receiveAnnounce(announced: readonly AnnouncedPosition[]): void {
    const { positions, exchange, suspect } = this.#link;
    const { counters } = this.#context;
    let isProgress = false;
    for (const { lane, seq, head } of announced) {
      if (seq < 1 || exchange.ledger.isFrozen(lane.id)) continue;
      if (!this.#link.mayClaim(lane.id)) {
        counters.framesRefused++;
        continue;
      }
      counters.announcesReceived++;
      const before = positions.confirmedSeq(lane.id);
      positions.claimed({ lane: lane.id, seq, head }, suspect);
      isProgress ||= positions.confirmedSeq(lane.id) > before;
      this.runs.announced(lane.id, seq);
    }
    this.#link.heardMore(isProgress);
    exchange.sources.claimed(this.#link);
  }

  /** The peer is pushed these by others; without any, all that is not written here. */
  receiveHold({ lanes }: FrameOf<"hold">): void {
    if (!this.isAble) return;
    for (const lane of lanes) {
      this.held.unpull(lane);
      this.announcer.add(lane);
    }
    if (lanes.length > 0) return;
    if (this.held.isAsked) {
      for (const lane of this.held.pulled) this.announcer.add(lane);
      return this.held.begin();
    }
    this.held.begin();
    const { lacking, isHeard } = this.#link.positions;
    if (!isHeard) return;
    for (const lane of lacking.keys()) this.announcer.add(lane);
    this.held.owe(lacking);
    this.#link.session.wantsToPush(this.#link);
  }

  /** The peer asks for a lane from there on: for what is to come of it, maybe. */
  pulled(lane: LaneId, fromSeq: number): void {
    const nextSeq = this.#link.exchange.ledger.durableSeq(lane) + 1;
    if (nextSeq > 1 && fromSeq >= 1 && fromSeq <= nextSeq) this.held.pull(lane);
  }

  /** There is something of a lane to be sent from there on that would not be sent by itself. */
  sendAgain(lane: LaneId, fromSeq: number): boolean {
    const { positions } = this.#link;
    if (!this.held.isAsked) return positions.sendAgain(lane, fromSeq);
    positions.sendFrom(lane, fromSeq);
    return true;
  }

  receiveFeed(): void {
    this.held.end();
    const { session, ourRef: documentRef } = this.#link;
    // What is pushed next does not wait for what was announced, but brings it.
    session.send({ name: "announce", documentRef, positions: [] });
    session.wantsToPush(this.#link);
  }
}
