import { walkWithin } from "./causal-walk.ts";
import { ClockRanges } from "./clock-ranges.ts";
import { ClockSteps } from "./clock-steps.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { keyedBit, noClient, type StructReader } from "./struct-reader.ts";

const unkeyed = 0;
const keyed = 1;

/**
 * Which structs are values of keys (map entries, attributes). The mark in a struct's info byte is not
 * enough: `Y.mergeUpdates` and `Y.diffUpdate` drop it from every struct with an origin, and Yjs takes
 * the key from the origin whatever the mark says. So what stands behind a value of a key is one.
 *
 * Unsure counts as keyed: that costs compactness only.
 */
export class KeyedClocks {
  readonly #ranges = new Map<number, ClockRanges>();
  readonly #clockOf: (client: number) => number;

  /** @param clockOf the clock below which the structs of a client were noted without a gap. */
  constructor(clockOf: (client: number) => number) {
    this.#clockOf = clockOf;
  }

  has(client: number, clock: number): boolean {
    return this.#ranges.size > 0 && (this.#ranges.get(client)?.has(clock) ?? false);
  }

  /** Takes note of an update; to be called before `clockOf` counts it. */
  note(update: ParsedUpdate): void {
    if (this.#ranges.size === 0 && !update.hasKeys && this.#knowsReferences(update)) return;
    const walk = walkWithin(update);
    const visited = new Map<number, ClockSteps>();
    for (const client of walk.frontiers.keys()) visited.set(client, new ClockSteps());
    const valueAt = (client: number, clock: number): number => {
      const value = visited.get(client)?.at(clock);
      if (value !== undefined) return value;
      return clock >= this.#clockOf(client) || this.has(client, clock) ? keyed : unkeyed;
    };
    walk.run((struct) => {
      const value = valueOf(struct, valueAt);
      visited.get(struct.client)!.append(struct.clock, struct.endClock, value);
      if (value === keyed) this.#add(struct);
    });
  }

  /** Whether everything the update refers to was noted before or is part of it. */
  #knowsReferences(update: ParsedUpdate): boolean {
    // With many runs the search below would cost more than the walk that it saves.
    if (!update.isPlain || update.runs.length > 16) return false;
    for (const run of update.runs) if (run.clock > this.#clockOf(run.client)) return false;
    for (const [client, clock] of update.requires) {
      if (clock < this.#clockOf(client)) continue;
      if (!update.runs.some((run) => run.client === client && clock < run.endClock)) return false;
    }
    return true;
  }

  #add(struct: StructReader): void {
    let ranges = this.#ranges.get(struct.client);
    if (ranges === undefined) this.#ranges.set(struct.client, (ranges = new ClockRanges()));
    ranges.add(struct.clock, struct.endClock);
  }
}

function valueOf(struct: StructReader, valueAt: (client: number, clock: number) => number): number {
  if ((struct.info & keyedBit) !== 0) return keyed;
  if (struct.originClient !== noClient) return valueAt(struct.originClient, struct.originClock);
  if (struct.rightClient !== noClient) return valueAt(struct.rightClient, struct.rightClock);
  return unkeyed;
}
