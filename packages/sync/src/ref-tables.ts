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
  readonly #peersMax: number;

  /** `peersMax` lanes of the peer are kept; it is asked again for those that were forgotten. */
  constructor(peersMax: number) {
    this.#peersMax = peersMax;
  }

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

  /** Returns how many older ones had to be forgotten. */
  namePeers(laneRef: number, lane: LaneDescriptor): number {
    this.#forgetPeers(laneRef);
    this.#peers.set(laneRef, lane);
    this.#refsOfPeers.set(lane.id, laneRef);
    if (this.#peers.size <= this.#peersMax) return 0;
    this.#forgetPeers(this.#peers.keys().next().value!);
    return 1;
  }

  peersLane(laneRef: number): LaneDescriptor | undefined {
    return this.#peers.get(laneRef);
  }

  #forgetPeers(laneRef: number): void {
    const lane = this.#peers.get(laneRef);
    if (!lane) return;
    this.#peers.delete(laneRef);
    if (this.#refsOfPeers.get(lane.id) === laneRef) this.#refsOfPeers.delete(lane.id);
  }

  refOfPeers(lane: LaneId): number | undefined {
    return this.#refsOfPeers.get(lane);
  }
}
