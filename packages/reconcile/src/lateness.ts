import type { NextRows } from "./next-rows.ts";
import { latePath } from "./projection-layout.ts";
import { decodeLateness, encodeLateness, type Lateness } from "./projection-records.ts";
import type { ProjectionTarget } from "./project-document.ts";
import type { RecordDraft } from "./record-draft.ts";

/**
 * Keeps how far the buckets of a partition have come, and counts changes whose bucket had ended by more
 * than the grace of the definition. They are folded like all others: their bucket is open again.
 *
 * @returns how many of them were late.
 */
export async function noteLateness(
  { projection, generation, clock }: ProjectionTarget,
  draft: RecordDraft,
  partition: string,
  { next, isFollowing }: { readonly next: NextRows; readonly isFollowing: boolean },
): Promise<number> {
  const buckets = projection.kind === "fold" ? projection.buckets : undefined;
  if (!buckets || next.folded.length === 0) return 0;
  const path = latePath(generation, partition);
  const [stored] = await draft.get([path]);
  const before = stored instanceof Uint8Array ? latenessIn(stored) : none;
  let { newestMs, late, lateMsMax } = before;
  for (const wallMs of next.folded) {
    const endMs = (Math.floor(wallMs / buckets.ms) + 1) * buckets.ms;
    const lateMs = newestMs - endMs;
    if (isFollowing && lateMs > buckets.graceMs) {
      late++;
      lateMsMax = Math.max(lateMsMax, lateMs);
    }
    // A clock that is ahead of ours would make everybody else late.
    newestMs = Math.max(newestMs, Math.min(wallMs, clock.nowMs()));
  }
  draft.put(path, encodeLateness({ newestMs, late, lateMsMax }));
  return late - before.late;
}

const none: Lateness = { newestMs: 0, late: 0, lateMsMax: 0 };

/** Begins anew where the record cannot be read: it is a count for people, and nothing is derived from it. */
function latenessIn(stored: Uint8Array): Lateness {
  try {
    return decodeLateness(stored);
  } catch {
    return none; // As above.
  }
}
