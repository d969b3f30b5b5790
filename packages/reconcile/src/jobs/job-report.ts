import type { DocumentId } from "@heddle/core";

import type { RowValue } from "../row-value.ts";
import type { RowDriftCause } from "./drift-cause.ts";
import type { PaceFigures } from "./job-pace.ts";
import type { JobScope } from "./job-scope.ts";
import type { LookedAt } from "./look-memory.ts";
import type { PartitionLists } from "./partition-table.ts";

/** What a run counts; its record carries them over interruptions. */
export interface JobCounts {
  /** Looked at. */
  partitions: number;
  documents: number;
  rows: number;
  totals: number;
  /** Left out by a sample. */
  partitionsSkipped: number;
  /** Found to differ once nothing was on its way any more; of documents and totals. */
  drifts: number;
  /** Corrected; these and the emitted ones count against the cap. */
  corrections: number;
  /** Handed to the application, which is to correct them. */
  emitted: number;
  /** Corrected, looked at again, and not as written; or handed over in vain. */
  failures: number;
  /** Documents that the source could not give whole; never corrected. */
  undetermined: number;
  /** Differences whose documents moved or were late each time they were looked at. */
  postponed: number;
  /** Times that a correction found that something had moved, and was made anew. */
  moved: number;
  /** Drifts at a place that had drifted before, as the journal says. */
  recurring: number;
}

export function newJobCounts(): JobCounts {
  return {
    partitions: 0,
    documents: 0,
    rows: 0,
    totals: 0,
    partitionsSkipped: 0,
    drifts: 0,
    corrections: 0,
    emitted: 0,
    failures: 0,
    undetermined: 0,
    postponed: 0,
    moved: 0,
    recurring: 0,
  };
}

/** What became of one difference. */
export type DriftAction = "corrected" | "emitted" | "reported" | "failed";

/** One document or one total of a projection that differed from its source. */
export interface FoundDrift {
  readonly partition: string;
  /** Missing when it is a total. */
  readonly document?: DocumentId | undefined;
  /** What differed; at most {@link keysKeptMax}. */
  readonly keys: readonly DriftedKey[];
  readonly keyCount: number;
  readonly cause: RowDriftCause;
  readonly action: DriftAction;
  /** Largest difference of numbers in it; 1 where the values are no numbers. */
  readonly size: number;
  /** The journal has the same cause at the same place. */
  readonly isRecurring: boolean;
}

export interface DriftedKey {
  readonly key: string;
  /** Missing where there was none, or where it could not be read. */
  readonly before?: RowValue | undefined;
  /** There was something that could not be read. */
  readonly isDamaged?: true;
  readonly after?: RowValue | undefined;
}

export const keysKeptMax = 20;

/** Of the drifts of a run only so many are in its report; all are counted, and audited. */
export const driftsKeptMax = 1_000;

/**
 * How a run ended.
 *
 * - whole: everything in its scope was looked at.
 * - moved-only: what had moved on either side since an earlier look was looked at, and what that had left.
 * - unmoved: nothing had. Nothing was looked at.
 * - capped: more corrections than its cap. It stopped, and no job of the projection goes on until somebody says so.
 * - held: somebody else does the same job.
 * - fenced: somebody else has taken over; nothing of this one was written since.
 * - stopped: it was told to. The next one goes on from there.
 * - source-behind: the projection knows of more than the source, which is old. Nothing was compared.
 * - not-built: there is no projection yet.
 * - other-definition: it was built by another definition. It is rebuilt, not corrected.
 * - switched: another generation became the live one meanwhile. The next run begins again.
 */
export const jobOutcomes = [
  "whole",
  "moved-only",
  "unmoved",
  "capped",
  "held",
  "fenced",
  "stopped",
  "source-behind",
  "not-built",
  "other-definition",
  "switched",
] as const;
export type JobOutcome = (typeof jobOutcomes)[number];

/** What a run found and did. */
export interface JobReport {
  readonly projection: string;
  readonly run: string;
  readonly outcome: JobOutcome;
  readonly isDryRun: boolean;
  /** Every document was made anew, and not only those whose digests did not agree. */
  readonly isThorough: boolean;
  /** It went on from where an earlier one was interrupted. */
  readonly isResumed: boolean;
  readonly startedAtMs: number;
  readonly tookMs: number;
  readonly counts: Readonly<JobCounts>;
  /** Counted by this call alone: without what the run had counted before it was interrupted. */
  readonly found: Readonly<JobCounts>;
  readonly drifts: readonly FoundDrift[];
  /** Of the undetermined ones, why; at most {@link driftsKeptMax}. */
  readonly undetermined: readonly { readonly document: DocumentId; readonly reason: string }[];
  readonly largest?: { readonly partition: string; readonly key: string; readonly size: number };
  /** Of this call alone, as are `drifts`. */
  readonly partitions: PartitionLists;
  readonly scope: JobScope;
  /** Of this process; not carried over. */
  readonly load: PaceFigures;
  /** Of a run that was `moved-only` or `unmoved`: what is older than that look was not looked at. */
  readonly since?: LookedAt | undefined;
  /** The last look at everything, in this process; this run when it was one. */
  readonly wholeLook?: LookedAt | undefined;
  /**
   * When the last run began after which nothing differed; where that looked only at what had moved, unless a hand
   * has changed files that were open.
   */
  readonly provenAtMs?: number | undefined;
}

/** Outcomes of runs that came to their end. */
const wholeOutcomes: ReadonlySet<JobOutcome> = new Set(["whole", "moved-only", "unmoved"]);

/** Whether everything was looked at and is in order now, or was all along. */
export function isClean({
  outcome,
  counts,
  scope,
}: Pick<JobReport, "outcome" | "counts" | "scope">): boolean {
  const { drifts, corrections, failures, undetermined, postponed } = counts;
  const isAll = scope.sample === undefined && wholeOutcomes.has(outcome);
  return isAll && drifts === corrections && failures + undetermined + postponed === 0;
}
