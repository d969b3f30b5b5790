import type { LaneDescriptor, LaneId } from "@heddle/core";

import { wireLimits } from "./wire-limits.ts";

/** Lanes by the numbers that this side and the peer gave them, for one connection. */
export class LaneRefs {
  readonly #ours = new Map<LaneId, number>();
  readonly #lanesOfOurs: LaneId[] = [];
  readonly #peers = new Map<number, LaneDescriptor>();
  readonly #refsOfPeers = new Map<LaneId, number>();
  /** Those that the peer did not get. */
  readonly #lost = new Set<number>();

  /** Our number for a lane, and whether the peer has to be told. `undefined` when there is none left. */
  refOf(lane: LaneId): { readonly laneRef: number; readonly isNew: boolean } | undefined {
    const known = this.#ours.get(lane);
    if (known !== undefined) return { laneRef: known, isNew: this.#lost.delete(known) };
    const laneRef = this.#lanesOfOurs.length;
    if (laneRef >= wireLimits.refsMax) return undefined;
    this.#ours.set(lane, laneRef);
    this.#lanesOfOurs.push(lane);
    return { laneRef, isNew: true };
  }

  laneOf(laneRef: number): LaneId | undefined {
    return this.#lanesOfOurs[laneRef];
  }

  lost(laneRef: number): void {
    this.#lost.add(laneRef);
  }

  namePeers(laneRef: number, lane: LaneDescriptor): void {
    this.#peers.set(laneRef, lane);
    this.#refsOfPeers.set(lane.id, laneRef);
  }

  peersLane(laneRef: number): LaneDescriptor | undefined {
    return this.#peers.get(laneRef);
  }

  refOfPeers(lane: LaneId): number | undefined {
    return this.#refsOfPeers.get(lane);
  }
}
