import { assert } from "./assert.ts";
import type { Attribution } from "./attribution.ts";
import { decodeCheckpointVector } from "./checkpoint-vector.ts";
import type { LaneId } from "./ids.ts";
import type { Checkpoint, CheckpointAdoption, LogPrune, StoredCheckpoint } from "./log-store.ts";

/** The checkpoints of one document of a `MemoryDisk`, and what pruning has left of its log. */
export class MemoryCheckpoints {
  readonly #checkpoints = new Map<number, Checkpoint>();
  readonly #floors = new Map<LaneId, number>();
  readonly #attributions = new Map<string, Attribution>();

  get floors(): ReadonlyMap<LaneId, number> {
    return this.#floors;
  }

  /** Newest first. */
  get all(): StoredCheckpoint[] {
    const newestFirst = [...this.#checkpoints.values()].toSorted((a, b) => b.number - a.number);
    return newestFirst.map(({ document, number, header, vector }) => {
      return { document, number, header: copyOf(header), vector: vector.map(copyOf) };
    });
  }

  get attributions(): readonly Attribution[] {
    return [...this.#attributions.values()];
  }

  stateOf(number: number): Uint8Array | undefined {
    const state = this.#checkpoints.get(number)?.state;
    return state && copyOf(state);
  }

  floorOf(lane: LaneId): number {
    return this.#floors.get(lane) ?? 0;
  }

  add(checkpoint: Checkpoint): void {
    const { header, vector, state } = checkpoint;
    this.#checkpoints.set(checkpoint.number, {
      ...checkpoint,
      header: copyOf(header),
      vector: vector.map(copyOf),
      state: copyOf(state),
    });
  }

  /** They were damaged, and have been replaced. */
  drop(numbers: readonly number[]): void {
    for (const number of numbers) this.#checkpoints.delete(number);
  }

  /** Before anything changes: what {@link adopt} relies on. */
  assertAdoptable({ checkpoint, floors }: CheckpointAdoption): void {
    const { vector } = decodeCheckpointVector(checkpoint.vector);
    const [newest] = this.all;
    assert(checkpoint.number > (newest?.number ?? 0), "what is adopted becomes the newest");
    for (const [lane, before] of this.#floors) {
      assert((vector.get(lane)?.seq ?? 0) >= before, "a checkpoint reaches all floors (I6)");
    }
    for (const [lane, floor] of floors) {
      assert(floor === vector.get(lane)?.seq, "a lane begins above what is adopted");
    }
  }

  /** @param drop as for {@link prune}; there may be less to drop. */
  adopt(adoption: CheckpointAdoption, drop: (lane: LaneId, count: number) => void): void {
    this.add(adoption.checkpoint);
    this.prune(adoption, drop);
  }

  /** @param drop told what goes of a lane: so many envelopes, from its lowest on. */
  prune(prune: LogPrune, drop: (lane: LaneId, count: number) => void): void {
    const newest = this.all[0];
    assert(newest !== undefined, "a log is pruned below a checkpoint only");
    const { vector } = decodeCheckpointVector(newest.vector);
    for (const [lane, floor] of prune.floors) {
      const before = this.floorOf(lane);
      assert(floor >= before, "a floor never falls");
      assert(floor <= (vector.get(lane)?.seq ?? 0), "a floor is never above a checkpoint (I6)");
      drop(lane, floor - before);
      this.#floors.set(lane, floor);
    }
    for (const number of this.#checkpoints.keys()) {
      if (number < (prune.checkpointsBelow ?? 0) && number < newest.number) {
        this.#checkpoints.delete(number);
      }
    }
    for (const place of prune.forget ?? []) this.#attributions.delete(placeOf(place));
    for (const attribution of prune.attributions ?? []) {
      this.#attributions.set(placeOf(attribution), copyOfAttribution(attribution));
    }
  }
}

function placeOf({ lane, fromSeq }: Pick<Attribution, "lane" | "fromSeq">): string {
  return `${lane} ${fromSeq}`;
}

/** Not `slice()`: of a Buffer that would be the same memory. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function copyOfAttribution(attribution: Attribution): Attribution {
  const { principal, correlationId, reason } = attribution;
  return {
    ...attribution,
    clients: new Map([...attribution.clients].map(([client, ranges]) => [client, [...ranges]])),
    ...(principal && { principal: copyOf(principal) }),
    ...(correlationId && { correlationId: copyOf(correlationId) }),
    ...(reason && { reason: copyOf(reason) }),
  };
}
