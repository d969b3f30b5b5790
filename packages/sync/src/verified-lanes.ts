import type { LaneDescriptor, LaneId } from "@heddle/core";

/**
 * Descriptors that carry a good signature. The id of a lane leaves the signature out, so a descriptor
 * with the same id and a damaged signature is possible: what was verified is used in its place. A cache:
 * what was forgotten is verified again, so that strangers with many lanes cost time and not memory.
 */
export class VerifiedLanes {
  readonly #max: number;
  readonly #lanes = new Map<LaneId, LaneDescriptor>();

  constructor(max: number) {
    this.#max = max;
  }

  get(lane: LaneId): LaneDescriptor | undefined {
    return this.#lanes.get(lane);
  }

  /** The first one stays: it may be on disk already. */
  add(lane: LaneDescriptor): void {
    if (this.#lanes.has(lane.id)) return;
    this.#lanes.set(lane.id, lane);
    for (const oldest of this.#lanes.keys()) {
      if (this.#lanes.size <= this.#max) return;
      this.#lanes.delete(oldest);
    }
  }
}
