export type { RowDriftCause } from "./drift-cause.ts";
export { lastAuditNumber } from "./drift-journal.ts";
export * from "./journal-bounds.ts";
export { feedStanding, type FeedStanding, type StandingParts } from "./feed-standing.ts";
export { defaultJobOptions, type EmittedCorrection, type JobOptions } from "./job-options.ts";
export { LookMemory, type LookedAt } from "./look-memory.ts";
export { capPath, decodeCapRecord, encodeCapRecord, type CapRecord } from "./cap-record.ts";
export { JobPace, type PaceFigures, type PaceLimits } from "./job-pace.ts";
export {
  decodeJobRecord,
  encodeJobRecord,
  jobPath,
  type JobRecord,
  type JobRecordState,
} from "./job-record.ts";
export * from "./job-report.ts";
export { beginningWith, isEverything, only, type JobScope, type NameRange } from "./job-scope.ts";
export { readOr } from "./read-or.ts";
export type { PartitionFinding, PartitionLists, PartitionLoad } from "./partition-table.ts";
export { ReconcileJob, type ReconcileJobParts } from "./reconcile-job.ts";
export type { StopSignal } from "./stop-signal.ts";
