export * from "./node-environment.ts";
export { replaceFile } from "./node-replace-file.ts";
export {
  deviceKeyFileIn,
  openReplica,
  type OpenReplicaOptions,
  type StoreOpener,
} from "./node-open-replica.ts";
export {
  PlannedJob,
  type PlannedJobCounts,
  type PlannedJobOptions,
} from "./reconcile/planned-job.ts";
export { PlannedRuns, type OffPeakHours, type RunPlan } from "./reconcile/run-plan.ts";
