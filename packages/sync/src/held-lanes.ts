import type { LaneId } from "@heddle/core";

import type { PeerPositions } from "./peer-positions.ts";

/**
 * Which lanes a peer is not pushed on a link, because it asked for that: others push them.
 *
 *   everything ──HOLD──► own lanes, and those pulled ──FEED──► everything
 *
 * What is written here never waits for anybody else to pass it on, except where the peer still lacks what
 * lay here before: that comes from another, and all of ours with it, in its order.
 */
export class HeldLanes {
  readonly #isOwn: (lane: LaneId) => boolean;
  readonly #positions: () => PeerPositions;
  readonly #pulled = new Set<LaneId>();
  /** What the peer lacked, of ours and of others, when it said so. */
  #owed = new Map<LaneId, number>();
  #isAsked = false;

  constructor(isOwn: (lane: LaneId) => boolean, positions: () => PeerPositions) {
    this.#isOwn = isOwn;
    this.#positions = positions;
  }

  /** The peer wants to be pushed what is written here, and what it asks for. */
  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** Lanes that the peer asked for all the same. */
  get pulled(): ReadonlySet<LaneId> {
    return this.#pulled;
  }

  begin(): void {
    this.#isAsked = true;
    this.#pulled.clear();
  }

  end(): void {
    this.#isAsked = false;
    this.#pulled.clear();
    this.#owed.clear();
  }

  pull(lane: LaneId): void {
    if (this.#isAsked) this.#pulled.add(lane);
  }

  unpull(lane: LaneId): void {
    this.#pulled.delete(lane);
  }

  /** Until the peer has these it is pushed nothing that it did not ask for. */
  owe(lanes: Map<LaneId, number>): void {
    this.#owed = lanes;
  }

  holds(lane: LaneId): boolean {
    if (!this.#isAsked || this.#pulled.has(lane)) return false;
    return !this.#isOwn(lane) || this.#isOwing();
  }

  #isOwing(): boolean {
    const positions = this.#positions();
    for (const [lane, seq] of this.#owed) {
      if (positions.confirmedSeq(lane) < seq && !positions.isOut(lane)) return true;
      this.#owed.delete(lane);
    }
    return false;
  }
}
