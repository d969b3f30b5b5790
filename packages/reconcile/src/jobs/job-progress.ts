import type { DocumentId } from "@heddle/core";

import type { JobRecord, JobRecordState } from "./job-record.ts";
import {
  driftsKeptMax,
  newJobCounts,
  type DriftAction,
  type FoundDrift,
  type JobCounts,
  type JobReport,
} from "./job-report.ts";
import type { LeftPlaces } from "./left-places.ts";
import { PartitionTable } from "./partition-table.ts";

/** A place that was put off because it moved, or because the feed had not come to it. */
export type PostponedPlace =
  | { readonly partition: string; readonly document: DocumentId }
  | { readonly partition: string; readonly key: string };

/** More are counted, and looked at by the next run. */
const postponedKeptMax = 1_000;

const countsOf = {
  corrected: ["corrections"],
  emitted: ["emitted"],
  failed: ["failures"],
  reported: [],
} as const satisfies Readonly<Record<DriftAction, readonly string[]>>;

/** How far a run has come and what it found: what its record keeps, and what only its report says. */
export class JobProgress {
  readonly run: string;
  readonly plan: string;
  readonly startedAtMs: number;
  readonly isResumed: boolean;
  readonly counts: JobCounts = newJobCounts();
  readonly #countedBefore: JobCounts = newJobCounts();
  readonly drifts: FoundDrift[] = [];
  readonly undetermined: { document: DocumentId; reason: string }[] = [];
  largest: JobReport["largest"];
  phase: JobRecord["phase"] = "store";
  after: string | undefined;
  provenAtMs: number | undefined;
  /** Found, and not made right. */
  readonly #left: LeftPlaces;
  readonly partitions = new PartitionTable();
  /** Looked at again at the end of the run, in this order. */
  readonly postponed: PostponedPlace[] = [];

  constructor(start: JobStart) {
    const { run, plan, startedAtMs, before, isFromTheBeginning } = start;
    this.#left = start.left;
    this.isResumed = before !== undefined && before.state === "running" && before.plan === plan;
    this.run = this.isResumed ? before!.run : run;
    this.plan = plan;
    this.startedAtMs = this.isResumed ? before!.startedAtMs : startedAtMs;
    this.provenAtMs = before?.provenAtMs;
    if (!this.isResumed) return;
    if (!isFromTheBeginning) {
      this.phase = before!.phase;
      this.after = before!.after;
    }
    for (const name of Object.keys(this.counts) as (keyof JobCounts)[]) {
      this.counts[name] = before!.counts[name] ?? 0;
      // What was put off is looked at again by a run that does not go on where that one was.
      if (name === "postponed" && isFromTheBeginning) this.counts[name] = 0;
      this.#countedBefore[name] = this.counts[name];
    }
  }

  /** Nothing of it was looked at. */
  get isAtTheBeginning(): boolean {
    return this.phase === "store" && this.after === undefined;
  }

  /** What was counted since this was made. */
  get foundNow(): JobCounts {
    const found = newJobCounts();
    for (const name of Object.keys(found) as (keyof JobCounts)[]) {
      found[name] = this.counts[name] - this.#countedBefore[name];
    }
    return found;
  }

  /**
   * `more` is what the batch that the record goes with will have done. What is put off until the end of the run counts as
   * left to the next: a process that goes on where this one was killed does not know of it.
   */
  recordAs(state: JobRecordState, more: Partial<JobCounts> = {}): JobRecord {
    const { run, plan, startedAtMs, phase, after, provenAtMs } = this;
    const counts = { ...this.counts };
    counts.postponed += this.postponed.length;
    addCounts(counts, more);
    return { run, state, plan, startedAtMs, phase, after, counts, provenAtMs };
  }

  count(more: Partial<JobCounts>): void {
    addCounts(this.counts, more);
  }

  /** For the report; it is counted with the batch that settled it. */
  found(drift: FoundDrift, largestKey: string): void {
    if (this.drifts.length < driftsKeptMax) this.drifts.push(drift);
    const { partition, size, action } = drift;
    if (action !== "corrected") this.#left.addPartition(partition);
    this.partitions.count(partition, "drifts", ...countsOf[action]);
    this.partitions.sized(partition, largestKey, size);
    if (this.largest === undefined || size > this.largest.size) {
      this.largest = { partition, key: largestKey, size };
    }
  }

  /** @param partition where that is known. */
  couldNotTell(document: DocumentId, reason: string, partition?: string): void {
    this.counts.undetermined++;
    if (partition !== undefined) this.partitions.count(partition, "undetermined");
    this.#left.addDocument(document);
    if (this.undetermined.length < driftsKeptMax) this.undetermined.push({ document, reason });
  }

  /** Of a total, which many documents give to. */
  couldNotTellTotal(partition: string): void {
    this.counts.undetermined++;
    this.partitions.count(partition, "undetermined");
    this.#left.addPartition(partition);
  }

  postpone(place: PostponedPlace): void {
    if (this.postponed.length < postponedKeptMax) this.postponed.push(place);
    else this.leaveToTheNext(place);
  }

  /** Is not looked at again by this run. */
  leaveToTheNext({ partition, ...place }: PostponedPlace): void {
    this.counts.postponed++;
    this.partitions.count(partition, "postponed");
    this.#left.addPartition(partition);
    if ("document" in place) this.#left.addDocument(place.document);
  }
}

function addCounts(counts: JobCounts, more: Partial<JobCounts>): void {
  for (const [name, count] of Object.entries(more)) counts[name as keyof JobCounts] += count;
}

export interface JobStart {
  /** Of a run that begins now. */
  readonly run: string;
  readonly plan: string;
  readonly startedAtMs: number;
  /** What the run before left. */
  readonly before: JobRecord | undefined;
  /** Shared by the runs of a projection that know of each other. */
  readonly left: LeftPlaces;
  /** Takes its counts alone, and not how far it had come. */
  readonly isFromTheBeginning: boolean;
}
