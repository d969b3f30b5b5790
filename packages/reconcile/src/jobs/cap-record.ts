import { HeddleError, HeddleErrorCode } from "@heddle/core";

import { projectionLimits } from "../projection-limits.ts";
import type { RecordBytes } from "../projection-store.ts";
import type { RecordPath } from "../record-path.ts";
import { decodeRowValue, encodeRowValue } from "../row-value.ts";
import { readOr } from "./read-or.ts";

/** In the place of the name of a job, which therefore none may have. */
export const capName = "cap";

/**
 * Says that a run of a projection stopped at its cap: while it is there no job corrects anything of that
 * projection, whatever its name and scope. It goes when somebody accepts it.
 */
export interface CapRecord {
  readonly job: string;
  readonly run: string;
  readonly atMs: number;
  /** Digest of the definition that corrected so much. Another one is other code, and not held by this. */
  readonly definition: string;
}

export function capPath(projection: string): RecordPath {
  return ["job", projection, capName];
}

export function encodeCapRecord({ job, run, atMs, definition }: CapRecord): Uint8Array {
  const value = { v: 1, j: job, r: run, t: atMs, d: definition };
  return encodeRowValue(value, projectionLimits.recordBytesMax);
}

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT`. */
export function decodeCapRecord(bytes: Uint8Array): CapRecord {
  const fields = decodeRowValue(bytes);
  if (typeof fields === "object" && fields !== null && !Array.isArray(fields)) {
    const { v, j, r, t, d } = fields as Readonly<Record<string, unknown>>;
    const isText = typeof j === "string" && typeof r === "string" && typeof d === "string";
    if (v === 1 && isText && typeof t === "number") {
      return { job: j, run: r, atMs: t, definition: d };
    }
  }
  throw new HeddleError(HeddleErrorCode.storageCorrupt, "the record of a cap cannot be read");
}

/** Whether corrections by `definition` wait for somebody. A record that cannot be read is no permission. */
export function isHeldByCap(found: RecordBytes | undefined, definition: string): boolean {
  if (found === undefined) return false;
  const record = readOr(found, decodeCapRecord);
  return record === undefined || record.definition === definition;
}
