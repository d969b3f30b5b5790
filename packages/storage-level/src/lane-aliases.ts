import { assert, type LaneId } from "@heddle/core";

/** Lane id to `laneIx` and back. Aliases count up from 1 in the order in which lanes were opened. */
export class LaneAliases {
  readonly #ixById = new Map<LaneId, number>();
  readonly #idByIx = new Map<number, LaneId>();
  readonly #openedAfter = new Map<number, number>();
  readonly #undescribed = new Set<LaneId>();
  #lastIx: number;

  /** @param lastIx highest alias that was ever given, so that none is given twice. */
  constructor(lastIx = 0) {
    this.#lastIx = lastIx;
  }

  /** The highest alias that was given. */
  get lastIx(): number {
    return this.#lastIx;
  }

  has(lane: LaneId): boolean {
    return this.#ixById.has(lane);
  }

  ixOf(lane: LaneId): number | undefined {
    return this.#ixById.get(lane);
  }

  idOf(laneIx: number): LaneId | undefined {
    return this.#idByIx.get(laneIx);
  }

  /** A commit group below all that hold envelopes of the lane. */
  openedAfter(laneIx: number): number {
    return this.#openedAfter.get(laneIx) ?? 0;
  }

  /** Whether the store holds the lane's descriptor: of some it only knows that a checkpoint covers them. */
  isDescribed(lane: LaneId): boolean {
    return this.has(lane) && !this.#undescribed.has(lane);
  }

  /** Notes whether there is a descriptor of a lane that has its alias. */
  describe(lane: LaneId, isDescribed = true): void {
    if (isDescribed) this.#undescribed.delete(lane);
    else this.#undescribed.add(lane);
  }

  set(lane: LaneId, laneIx: number, openedAfter = 0): void {
    this.#ixById.set(lane, laneIx);
    this.#idByIx.set(laneIx, lane);
    if (openedAfter > 0) this.#openedAfter.set(laneIx, openedAfter);
    this.#lastIx = Math.max(this.#lastIx, laneIx);
  }

  /** Gives a lane its alias. */
  add(lane: LaneId, openedAfter: number): number {
    assert(!this.has(lane), "a lane has one alias");
    this.set(lane, this.#lastIx + 1, openedAfter);
    return this.#lastIx;
  }
}
