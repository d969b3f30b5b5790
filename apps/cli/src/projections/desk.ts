import type { JobReport, JobScope } from "@heddle/reconcile";
import type { SettledDead } from "@heddle/replica";

import type { AuditLine, TrimmedJournal } from "./audit-lines.ts";
import type { ProjectionReport, RowLine, RowsRequest } from "./projection-reports.ts";
import type { SinkReport } from "./sink-reports.ts";

/**
 * What an operator asks about the projections of a data folder: of this process, which has it open, or of a
 * relay that has.
 */
export interface Desk {
  /** One run for each projection, or for the one that is named. */
  reconcile(request: ReconcileRequest, signal?: AbortSignal): Promise<readonly JobReport[]>;

  /** Newest entries of both journals, oldest of them first. */
  audit(request: AuditRequest): Promise<readonly AuditLine[]>;

  /** Journals of which the oldest entries are not kept any more. */
  trimmed(): Promise<readonly TrimmedJournal[]>;

  /** Builds projections anew beside those that are read; resolves when they are switched to. */
  rebuild(request: RebuildRequest, signal?: AbortSignal): Promise<readonly RebuiltProjection[]>;

  /** Projections, and how far they have come. */
  projections(request: ProjectionsRequest): Promise<readonly ProjectionReport[]>;

  /** What a projection says: totals by partition and key, in their order. */
  rows(request: RowsRequest, signal?: AbortSignal): Promise<readonly RowLine[]>;

  /** Sinks, and what they gave up. */
  sinks(request: SinksRequest): Promise<readonly SinkReport[]>;

  /** Tries dead changes again, or drops them; each is written down in the journal. */
  settleDead(request: SettleRequest, signal?: AbortSignal): Promise<readonly SettledDead[]>;
}

export interface ProjectionsRequest {
  readonly projection?: string | undefined;
}

export interface SinksRequest {
  readonly sink?: string | undefined;
  /** Dead changes of each that are listed. */
  readonly limit: number;
}

export interface SettleRequest {
  readonly sink: string;
  /** Ids, or `true` for all that are dead. */
  readonly retry?: readonly string[] | true | undefined;
  readonly drop?: readonly string[] | true | undefined;
  /** Who decides. */
  readonly by: string;
}

export interface ReconcileRequest {
  readonly projection?: string | undefined;
  /** What of it; everything without. */
  readonly scope?: JobScope | undefined;
  readonly isDryRun?: boolean | undefined;
  readonly isThorough?: boolean | undefined;
  /** Only at what moved since the last look, where the process that has the folder knows. */
  readonly isOnlyMoved?: boolean | undefined;
  readonly acceptsCap?: boolean | undefined;
  readonly correctionsMax?: number | undefined;
  /** At the pace of a job in the background, and not as fast as can be. */
  readonly isGentle?: boolean | undefined;
  /** Who asks: in leases, and in the journal as who corrected. */
  readonly by?: string | undefined;
}

export interface AuditRequest {
  readonly projection?: string | undefined;
  readonly limit: number;
}

export interface RebuildRequest {
  readonly projection?: string | undefined;
}

export interface RebuiltProjection {
  readonly name: string;
  readonly generation: number | undefined;
}
