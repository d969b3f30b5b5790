export * from "./node-environment.ts";
export { folderView } from "./node-folder-view.ts";
export { replaceFile } from "./node-replace-file.ts";
export { readSpaceFile, writeSpaceFile } from "./node-space-file.ts";
export {
  deviceKeyFileIn,
  openReplica,
  type OpenReplicaOptions,
  type StoreOpener,
} from "./node-open-replica.ts";
export { JournalKeeper, type JournalKeeperOptions } from "./reconcile/journal-keeper.ts";
export {
  PlannedJob,
  type PlannedJobCounts,
  type PlannedJobOptions,
} from "./reconcile/planned-job.ts";
export { PlannedRuns, type OffPeakHours, type RunPlan } from "./reconcile/run-plan.ts";
export { ReconcileFigures } from "./reconcile/reconcile-figures.ts";
export { Reconciler, type ReconcilerOptions } from "./reconcile/reconciler.ts";
export {
  ServedProjectionStore,
  serveProjectionStore,
  type StoreChannel,
} from "./reconcile/served-store.ts";
