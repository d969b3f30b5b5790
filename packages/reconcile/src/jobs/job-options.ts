import type { AuditedDrift } from "./drift-journal.ts";
import type { RowDriftCause } from "./drift-cause.ts";
import type { PaceLimits } from "./job-pace.ts";
import type { JobScope } from "./job-scope.ts";
import type { LookMemory } from "./look-memory.ts";

/** How a reconciliation job is run. */
export interface JobOptions {
  /** Runs of one name go on where the one before was interrupted, and never two at once. */
  readonly name: string;
  /** Who corrects, for the journal and the leases: a person, or a process of a machine. */
  readonly holder: string;
  readonly scope: JobScope;
  /**
   * Makes the rows of every document anew, instead of only those whose digests do not agree: a full
   * recount, which also finds what a broken writer or changed code made wrong and consistent.
   */
  readonly isThorough: boolean;
  /**
   * Looks only at what moved on either side since the last look of this process, where that is known: at everything
   * when it is not, when so much moved that it comes to the same, and every `wholeLookMs`. Needs a `memory`.
   */
  readonly isOnlyMoved: boolean;
  /** Everything is looked at this often at least; 0 for every time. */
  readonly wholeLookMs: number;
  /** Shared by the jobs of a process; of one store and one source. */
  readonly memory?: LookMemory | undefined;
  /** Compares and reports; writes nothing at all. */
  readonly isDryRun: boolean;
  readonly pace: PaceLimits;
  /** After so many corrections it stops and alarms: a wrong one must not spread. */
  readonly correctionsMax: number;
  /** Goes on although the run before stopped at its cap. */
  readonly acceptsCap: boolean;
  /** How long the change feed is waited for, where a document differs that it may not have come to. */
  readonly feedWaitMs: number;
  /** Leases last so long without being renewed. */
  readonly leaseMs: number;
  /** Where it stands is written at least so often. */
  readonly checkpointMs: number;
  /** Told whenever the run has come further; for whoever watches for one that stands still. */
  readonly onProgress?: (() => void) | undefined;
  /** Of projections with `repair: "emit"`: what to correct is handed over; a rejection is a failure. */
  readonly onCorrection?: ((correction: EmittedCorrection) => Promise<void> | void) | undefined;
}

export const defaultJobOptions = {
  scope: {},
  isDryRun: false,
  isThorough: false,
  isOnlyMoved: false,
  wholeLookMs: 24 * 60 * 60 * 1_000,
  pace: { readsPerSecond: 20_000, loopShare: 0.1 },
  correctionsMax: 100,
  acceptsCap: false,
  feedWaitMs: 5_000,
  leaseMs: 30_000,
  checkpointMs: 2_000,
} as const satisfies Partial<JobOptions>;

/** What an application is to correct itself. May come again. */
export interface EmittedCorrection extends Readonly<AuditedDrift["place"]> {
  readonly cause: RowDriftCause;
  readonly keys: AuditedDrift["keys"];
  /** The run that found it. */
  readonly run: string;
}
