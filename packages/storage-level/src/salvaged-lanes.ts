import {
  laneId,
  verifyLane,
  type Hash,
  type LaneDescriptor,
  type LaneId,
  type Verifier,
} from "@heddle/core";

import { laneAliasKeys, laneKeys } from "./key-ranges.ts";
import { laneBytesOfKey, laneIxOfKey } from "./parts-of-key.ts";
import { laneKey } from "./record-keys.ts";
import { readLane, readLaneAlias } from "./records.ts";
import { readable } from "./readable.ts";
import type { SalvageDatabase, SalvagedRecord } from "./salvage-database.ts";

/**
 * Which lanes a salvage knows: by descriptor, by alias, or only by the envelopes in them. In memory are
 * their ids and aliases, as in a store that is open.
 */
export class SalvagedLanes {
  readonly #database: SalvageDatabase;
  readonly #hash: Hash;
  readonly #verifier: Verifier;
  readonly #idByIx = new Map<number, LaneId>();
  /** Of lanes that have a descriptor: the alias that it lies under. */
  readonly #described = new Map<LaneId, number>();

  private constructor(database: SalvageDatabase, hash: Hash, verifier: Verifier) {
    this.#database = database;
    this.#hash = hash;
    this.#verifier = verifier;
  }

  static async load(
    database: SalvageDatabase,
    hash: Hash,
    verifier: Verifier,
  ): Promise<SalvagedLanes> {
    const lanes = new SalvagedLanes(database, hash, verifier);
    await lanes.#load();
    return lanes;
  }

  /** Whether it has a descriptor. */
  has(lane: LaneId): boolean {
    return this.#described.has(lane);
  }

  idOf(laneIx: number): LaneId | undefined {
    return this.#idByIx.get(laneIx);
  }

  /** An envelope says which lane it is in, and its key says under which alias. */
  learn(laneIx: number, lane: LaneId): void {
    if (!this.#idByIx.has(laneIx)) this.#idByIx.set(laneIx, lane);
  }

  async descriptorOf(lane: LaneId): Promise<LaneDescriptor | undefined> {
    const laneIx = this.#described.get(lane);
    if (laneIx === undefined) return undefined;
    const key = laneKey(laneIx);
    for await (const version of this.#database.versions({ gte: key, lt: laneKey(laneIx + 1) })) {
      const descriptor = this.#read(version);
      if (descriptor?.id === lane) return descriptor;
    }
    return undefined;
  }

  async #load(): Promise<void> {
    for await (const version of this.#database.versions(laneKeys)) {
      const lane = this.#read(version);
      if (!lane || (version.isFound && !(await verifyLane(lane, this.#verifier)))) continue;
      const laneIx = laneIxOfKey(version.key);
      if (!this.#described.has(lane.id)) this.#described.set(lane.id, laneIx);
      this.learn(laneIx, lane.id);
    }
    for await (const [[key, record]] of this.#database.entries(laneAliasKeys)) {
      const alias = readable(() => readLaneAlias(key, record));
      if (alias) this.learn(alias.laneIx, laneId(laneBytesOfKey(key)));
    }
  }

  #read({ key, record }: SalvagedRecord): LaneDescriptor | undefined {
    // Of a lane that only a checkpoint named, the alias says all that is known.
    return readable(() => readLane(this.#hash, key, record))?.descriptor;
  }
}
