import type { Envelope } from "./envelope.ts";
import type { ArrivalRun, LogBatch } from "./log-store.ts";

/** Folds envelopes, in their order, into the runs that an arrival record lists. */
export function arrivalRunsOf(
  envelopes: readonly Pick<Envelope, "document" | "lane" | "seq">[],
): ArrivalRun[] {
  const runs: ArrivalRun[] = [];
  for (let index = 0; index < envelopes.length; index++) {
    const { document, lane, seq } = envelopes[index]!;
    const last = runs.at(-1);
    if (last && last.document === document && last.lane === lane && last.toSeq + 1 === seq) {
      runs[runs.length - 1] = { document, lane, fromSeq: last.fromSeq, toSeq: seq };
    } else {
      runs.push({ document, lane, fromSeq: seq, toSeq: seq });
    }
  }
  return runs;
}

const unnumbered: ReadonlySet<string> = new Set([
  "vectors",
  "checkpoints",
  "prune",
  "forgetPeers",
  "cursors",
  "acks",
  "mend",
  "audit",
]);

/**
 * Whether a batch takes a number in the change feed. Vectors and checkpoints alone do not: they can be
 * computed again, so losing them loses nothing, and an idle relay that writes them must not grow its
 * feed. Nor does pruning: done again, it ends the same. Nor do cursors and acknowledgements: without them
 * more is compared than needed, and each would be news for all who follow the feed. What is mended has its
 * number already, and what the audit journal is told is nobody's news.
 */
export function isNumbered(batch: LogBatch): boolean {
  return Object.entries(batch).some(([name, part]) => !unnumbered.has(name) && part.length > 0);
}
