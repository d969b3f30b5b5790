import type { LaneId } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";
import type { AckedPosition } from "./frame-shapes.ts";
import { headBytes } from "./peer-positions.ts";
import type { SyncContext } from "./sync-context.ts";
import { positionsPerFrame } from "./wire-limits.ts";

/**
 * Tells the peer of a link how far lanes are on our disk that it is not pushed from here. The first time
 * at once, while more comes once in `announceEveryMs`, and always before anything is pushed: what is pushed
 * may build on what was announced before it, and on nothing else that the peer does not have.
 */
export class LinkAnnouncer {
  readonly #context: SyncContext;
  readonly #link: DocumentLink;
  readonly #lanes = new Set<LaneId>();
  #dueMs = -Infinity;
  #isAsked = false;

  constructor(context: SyncContext, link: DocumentLink) {
    this.#context = context;
    this.#link = link;
  }

  /** More of the lane is on disk, and it was not this peer that brought it. */
  add(lane: LaneId): void {
    if (this.#link.sharing.isAble) this.#lanes.add(lane);
  }

  /** What is on disk, or will be next, is to be said at once: somebody there waits. */
  asked(): void {
    this.#isAsked = true;
    this.#link.session.wantsToPush(this.#link);
  }

  /** Says what is due. */
  tick(): void {
    const isDue = this.#isAsked || this.#context.nowMs >= this.#dueMs;
    if (this.#lanes.size > 0 && isDue) this.flush();
  }

  /** Says all that there is to say. */
  flush(): void {
    const { session, positions, isOpenedByPeer, ourRef: documentRef } = this.#link;
    const isReady = positions.isHeard && isOpenedByPeer && session.isCreditOpen;
    if (this.#lanes.size === 0 || !isReady) return;
    const said = [...this.#lanes].map((lane) => this.#positionOf(lane)).filter(isThere);
    this.#lanes.clear();
    if (said.length === 0 || !session.isLive) return;
    this.#isAsked = false;
    this.#dueMs = this.#context.nowMs + this.#context.limits.announceEveryMs;
    this.#context.counters.announcesSent += said.length;
    const countMax = positionsPerFrame(session.peer.frameBytesMax);
    for (let start = 0; start < said.length; start += countMax) {
      const piece = said.slice(start, start + countMax);
      session.send({ name: "announce", documentRef, positions: piece });
    }
  }

  /** `undefined` of what is pushed in a moment, and of what the peer has to ask for by HAVE. */
  #positionOf(lane: LaneId): AckedPosition | undefined {
    const { positions, exchange, session } = this.#link;
    const durable = exchange.ledger.durable.get(lane);
    const descriptor = this.#context.lanes.get(lane);
    if (!durable || !descriptor || positions.isOut(lane)) return undefined;
    if (positions.aboveSeq(lane) < durable.seq) return undefined;
    const laneRef = session.refOfLane(descriptor);
    return { laneRef, seq: durable.seq, head: durable.head.subarray(0, headBytes) };
  }
}

function isThere(position: AckedPosition | undefined): position is AckedPosition {
  return position !== undefined;
}
