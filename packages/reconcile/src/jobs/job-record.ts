import { projectionLimits } from "../projection-limits.ts";
import type { RecordPath } from "../record-path.ts";
import { decodeRowValue, encodeRowValue, type RowValue } from "../row-value.ts";
import { HeddleError, HeddleErrorCode } from "@heddle/core";

/**
 * Where a job stands, kept in the store of its projection: written every so often, and in the batch of
 * each correction, so that a job that was killed goes on where it was and its cap holds over all of it.
 */
export interface JobRecord {
  /** 16 random bytes in hex: the run, from its beginning to its end, however often it was interrupted. */
  readonly run: string;
  readonly state: JobRecordState;
  /** Digest of projection, generation and scope: another one begins anew. */
  readonly plan: string;
  readonly startedAtMs: number;
  /** Partitions of the store are done up to this one, then documents of the source. */
  readonly phase: "store" | "source";
  readonly after?: string | undefined;
  readonly counts: Readonly<Record<string, number>>;
  /** When the last run began that looked at everything and left nothing that differs. */
  readonly provenAtMs?: number | undefined;
}

/** `capped`: it stopped at its cap, and waits for somebody to say that it may go on. */
export type JobRecordState = "running" | "done" | "capped";

export function jobPath(projection: string, job: string): RecordPath {
  return ["job", projection, job];
}

export function encodeJobRecord(record: JobRecord): Uint8Array {
  const { run, state, plan, startedAtMs, phase, after, counts, provenAtMs } = record;
  const value = {
    v: 1,
    r: run,
    s: state,
    d: plan,
    t: startedAtMs,
    p: phase,
    ...(after !== undefined && { a: after }),
    c: counts,
    ...(provenAtMs !== undefined && { w: provenAtMs }),
  };
  return encodeRowValue(value, projectionLimits.recordBytesMax);
}

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT`. */
export function decodeJobRecord(bytes: Uint8Array): JobRecord {
  const { v, r, s, d, t, p, a, c, w } = objectOf(decodeRowValue(bytes));
  if (v !== 1 || typeof r !== "string" || typeof d !== "string") throw corrupt();
  if (s !== "running" && s !== "done" && s !== "capped") throw corrupt();
  if (p !== "store" && p !== "source") throw corrupt();
  if (typeof t !== "number" || (a !== undefined && typeof a !== "string")) throw corrupt();
  if (w !== undefined && typeof w !== "number") throw corrupt();
  const counts = Object.entries(objectOf(c));
  if (!counts.every(([, count]) => typeof count === "number")) throw corrupt();
  return {
    run: r,
    state: s,
    plan: d,
    startedAtMs: t,
    phase: p,
    after: a,
    counts: Object.fromEntries(counts) as Record<string, number>,
    provenAtMs: w,
  };
}

function objectOf(value: RowValue | undefined): Readonly<Record<string, RowValue>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, RowValue>>;
  }
  throw corrupt();
}

function corrupt(): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, "the record of a job cannot be read");
}
