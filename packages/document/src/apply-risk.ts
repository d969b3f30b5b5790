import type { ParsedUpdate } from "./parsed-update.ts";

/**
 * What one update may hold and still go straight into the log. Typing, formatting, a paste of text,
 * dragging a card: people make one to three structs at a time, of one client. Everything above is tried
 * on a scratch document first, so these bound what a single untried update can cost its readers.
 */
export const routineMax = {
  bytes: 64 * 1024,
  structs: 64,
  deleteRanges: 64,
} as const;

/**
 * Whether applying an admitted update is cheap in any document of usual size, and cannot fail. An
 * admitted update has no gaps, and everything it refers to is there; then what makes Yjs 13.6 throw is
 * a subdocument with odd options, and what makes it slow is one update with many clients, structs or
 * deleted ranges. What many small updates add up to is the audit's business.
 */
export function isRoutine(admitted: ParsedUpdate): boolean {
  const { bytes, runs, deletes } = admitted;
  if (bytes.length > routineMax.bytes || runs.length > 1 || admitted.hasSubdocuments) return false;
  if (runs.length === 1 && runs[0]!.structCount > routineMax.structs) return false;
  let ranges = 0;
  for (const ofClient of deletes) ranges += ofClient.ranges.length >> 1;
  return ranges <= routineMax.deleteRanges;
}
