import { assert, equalBytes } from "@heddle/core";

import { projectionLimits } from "./projection-limits.ts";
import type { ProjectionBatch, RecordBytes, RecordRange } from "./projection-store.ts";

/** States what every adapter owes to its disk: a batch within its caps, no path twice. */
export function assertBatch(batch: ProjectionBatch): void {
  const { put = [], remove = [], audit = [], trimAudit = 0 } = batch;
  const isEmpty = put.length + remove.length + audit.length === 0 && trimAudit <= 0;
  assert(!isEmpty, "a batch holds something");
  const { batchEntriesMax, batchBytesMax, recordBytesMax, auditEntryBytesMax } = projectionLimits;
  assert(put.length + remove.length <= batchEntriesMax, "a batch keeps its cap of entries");
  let bytes = 0;
  const paths = new Set<string>();
  for (const { path, value } of put) {
    assert(value.length <= recordBytesMax, "a record keeps its cap");
    bytes += value.length;
    paths.add(path.join("\0"));
  }
  for (const path of remove) paths.add(path.join("\0"));
  assert(paths.size === put.length + remove.length, "a path comes once in a batch");
  for (const entry of audit) {
    assert(entry.length <= auditEntryBytesMax, "an entry of the journal keeps its cap");
    bytes += entry.length;
  }
  assert(bytes <= batchBytesMax, "a batch keeps its cap of bytes");
}

export function assertPage({ under, after, limit }: RecordRange): void {
  assert(limit >= 1 && limit <= projectionLimits.pageEntriesMax, "a page keeps its cap");
  const isUnder = after === undefined || under.every((part, index) => after[index] === part);
  assert(isUnder, "a page goes on under the path that is read");
}

/** Whether a record is as somebody has read it. */
export function isAsExpected(
  found: RecordBytes | undefined,
  expected: RecordBytes | undefined,
): boolean {
  if (found instanceof Uint8Array && expected instanceof Uint8Array) {
    return equalBytes(found, expected);
  }
  return found === expected;
}
