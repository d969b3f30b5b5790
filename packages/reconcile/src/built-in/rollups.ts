import { defineProjection, type Projection, type Row } from "../define-projection.ts";
import type { SourceChange } from "../projection-source.ts";
import { commonOf, sum, type BuiltInOptions } from "./shared-types.ts";

export interface RollupOptions extends BuiltInOptions {
  /** Length of a bucket, whole milliseconds: an hour, a day. */
  readonly bucketMs: number;
  /** A change is late when its bucket had ended by more than this. Default: one bucket. */
  readonly graceMs?: number;
  /** What a change adds, by measure: whole numbers. Default: `changes` 1, and `bytes` of its update. */
  readonly measure?: (change: SourceChange) => Iterable<readonly [measure: string, by: number]>;
}

/**
 * What happened in each stretch of time, by the clock readings of changes. A change that comes late is added to the bucket that
 * it belongs to, and counted.
 *
 *   rows: start of the bucket (ISO 8601, UTC) • blank • measure → sum
 */
export function rollups(options: RollupOptions): Projection {
  const { bucketMs, graceMs = bucketMs, measure = changesAndBytes } = options;
  return defineProjection({
    ...commonOf(options),
    ...sum,
    buckets: { ms: bucketMs, graceMs },
    fold(change): Row[] {
      const start = bucketOf(change.hlc.wallMs, bucketMs);
      return [...measure(change)].map(([name, by]) => [`${start} ${name}`, by]);
    },
  });
}

/** Start of the bucket of a moment, as in the keys of {@link rollups}. */
export function bucketOf(atMs: number, bucketMs: number): string {
  return isoOf(Math.floor(atMs / bucketMs) * bucketMs);
}

function changesAndBytes({ update }: SourceChange): [string, number][] {
  return [
    ["changes", 1],
    ["bytes", update.length],
  ];
}

const dayMs = 86_400_000;

/**
 * `2026-11-20T13:00:00.000Z`. The kernel has no `Date`: a class that also reads the clock. Days are turned into
 * a date as in "chrono-Compatible Low-Level Date Algorithms" (Hinnant, 2013), for years from 1970 on.
 */
function isoOf(atMs: number): string {
  const days = Math.floor(atMs / dayMs);
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const rest = atMs - days * dayMs;
  const time = [
    two(Math.floor(rest / 3_600_000)),
    two(Math.floor(rest / 60_000) % 60),
    two(Math.floor(rest / 1_000) % 60),
  ];
  const date = `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`;
  return `${date}T${time.join(":")}.${String(rest % 1_000).padStart(3, "0")}Z`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
