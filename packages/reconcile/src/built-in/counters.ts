import { defineProjection, type Projection } from "../define-projection.ts";
import {
  commonOf,
  count,
  keyIn,
  numberIn,
  sum,
  type BuiltInOptions,
  type SharedTypes,
} from "./shared-types.ts";

export interface SetCounterOptions extends BuiltInOptions {
  /** Name of a map whose keys are `target/member`; an edge counts while its value is true. Default `edges`. */
  readonly edges?: string;
}

/**
 * How many members each target has: likes of a post by people, votes, followers. What is counted are
 * entries of a map, so that the same like, sent twice or by two devices, is one, and taking it back
 * takes back one.
 *
 *   rows: target → how many
 */
export function setCounters(options: SetCounterOptions): Projection<SharedTypes> {
  const { edges = "edges" } = options;
  return defineProjection<SharedTypes>({
    ...commonOf(options),
    ...sum,
    derive(content) {
      const counts = new Map<string, number>();
      for (const [edge, isActive] of Object.entries(content.getMap(edges).toJSON())) {
        const end = edge.lastIndexOf("/");
        const target = keyIn(edge.slice(0, Math.max(0, end)));
        if (target !== undefined && isActive === true) count(counts, target, 1);
      }
      return counts;
    },
  });
}

export interface ShardedTotalOptions extends BuiltInOptions {
  /** Name of a map whose keys are `counter/shard` and whose values are whole numbers. Default `counters`. */
  readonly counters?: string;
}

/**
 * Counters that many write at once: each device adds to a shard of its own, in as many documents as one likes,
 * and the total is their sum.
 *
 *   rows: counter → sum of its shards
 */
export function shardedTotals(options: ShardedTotalOptions): Projection<SharedTypes> {
  const { counters = "counters" } = options;
  return defineProjection<SharedTypes>({
    ...commonOf(options),
    ...sum,
    derive(content) {
      const totals = new Map<string, number>();
      for (const [entry, value] of Object.entries(content.getMap(counters).toJSON())) {
        const end = entry.lastIndexOf("/");
        const counter = keyIn(end < 0 ? entry : entry.slice(0, end));
        const number = numberIn(value);
        if (counter !== undefined && Number.isSafeInteger(number)) count(totals, counter, number!);
      }
      return totals;
    },
  });
}
