import type { Clock } from "@heddle/core";
import { isEverything, jobOutcomes, type JobOutcome, type JobReport } from "@heddle/reconcile";

/** Runs after which nobody waits for a cap to be accepted. */
const endedWhole: ReadonlySet<JobOutcome> = new Set(["whole", "moved-only", "unmoved"]);

/** What is known of the reconciliation of one projection, since the process started. */
export class ReconcileFigures {
  readonly #clock: Clock;
  readonly #sinceMs: number;
  /** Runs by how they ended; `failed` threw. */
  readonly runs = new Map<JobOutcome | "failed", number>(
    [...jobOutcomes, "failed" as const].map((outcome) => [outcome, 0]),
  );
  drifts = 0;
  corrections = 0;
  emitted = 0;
  failures = 0;
  recurring = 0;
  reads = 0;
  /** Milliseconds of work, waiting for the disk included. */
  busyMs = 0;
  /** Of the last run that looked at everything. */
  lastScanMs = 0;
  /** Of the last run. */
  undetermined = 0;
  postponed = 0;
  largestDrift = 0;
  isCapped = false;
  #provenAtMs: number | undefined;
  #wholeAtMs: number | undefined;
  /** Of a run that is under way. */
  #progressAtMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.nowMs();
  }

  /** How long ago the last run began after which nothing differed; since the start while there was none. */
  get ageMs(): number {
    return Math.max(0, this.#clock.nowMs() - (this.#provenAtMs ?? this.#sinceMs));
  }

  /** How long ago the last run began that looked at everything; since the start while there was none. */
  get wholeAgeMs(): number {
    return Math.max(0, this.#clock.nowMs() - (this.#wholeAtMs ?? this.#sinceMs));
  }

  /** How long a run that is under way has not come further; 0 when none is. */
  get stalledMs(): number {
    if (this.#progressAtMs === undefined) return 0;
    return this.#clock.monotonicMs() - this.#progressAtMs;
  }

  /** A run began, or came further. */
  progressed(): void {
    this.#progressAtMs = this.#clock.monotonicMs();
  }

  /** A run ended with a report; what an earlier process had counted of it was counted there. */
  ended(report: JobReport): void {
    this.#progressAtMs = undefined;
    this.#count(report.outcome);
    if (report.outcome === "capped") this.isCapped = true;
    else if (!report.isDryRun && endedWhole.has(report.outcome)) this.isCapped = false;
    this.reads += report.load.reads;
    this.busyMs += report.load.workedMs;
    if (report.isDryRun) return;
    const { counts, found, outcome, tookMs, provenAtMs, largest, scope, startedAtMs } = report;
    this.drifts += found.drifts;
    this.corrections += found.corrections;
    this.emitted += found.emitted;
    this.failures += found.failures;
    this.recurring += found.recurring;
    this.undetermined = counts.undetermined;
    this.postponed = counts.postponed;
    this.largestDrift = largest?.size ?? 0;
    if (outcome === "whole") this.lastScanMs = tookMs;
    // What a run says that found nothing to look at is not on the disk, and so not in the record of the next one.
    if (provenAtMs !== undefined)
      this.#provenAtMs = Math.max(provenAtMs, this.#provenAtMs ?? provenAtMs);
    if (outcome === "whole" && isEverything(scope)) this.#wholeAtMs = startedAtMs;
  }

  /** A run ended without a report. */
  failed(): void {
    this.#progressAtMs = undefined;
    this.#count("failed");
  }

  #count(outcome: JobOutcome | "failed"): void {
    this.runs.set(outcome, (this.runs.get(outcome) ?? 0) + 1);
  }
}
