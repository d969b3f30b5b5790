import {
  HeddleError,
  HeddleErrorCode,
  type LaneDescriptor,
  type LaneId,
  type LogStore,
} from "@heddle/core";

/** Descriptors kept in memory: what is written now, and what peers are asking for. */
const lanesMax = 4_096;

/** Descriptors of lanes that the store knows; those that were asked for last stay in memory. */
export class KnownLanes {
  readonly #store: LogStore;
  readonly #lanes = new Map<LaneId, LaneDescriptor>();

  constructor(store: LogStore) {
    this.#store = store;
  }

  /** @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when envelopes name a lane that is not there. */
  async get(id: LaneId): Promise<LaneDescriptor> {
    const known = this.#lanes.get(id) ?? (await this.#store.readLane(id));
    if (known === undefined) {
      const message = `the descriptor of lane ${id} is missing`;
      throw new HeddleError(HeddleErrorCode.storageCorrupt, message);
    }
    this.add(known);
    return known;
  }

  add(lane: LaneDescriptor): void {
    this.#lanes.delete(lane.id);
    this.#lanes.set(lane.id, lane);
    const [oldest] = this.#lanes.keys();
    if (this.#lanes.size > lanesMax && oldest) this.#lanes.delete(oldest);
  }
}
