export {
  defaultApplyBudget,
  type ApplyBudget,
  type ApplyJudge,
  type FailedTrial,
  type Trial,
  type Verdict,
} from "./apply-judge.ts";
export { attributionsMax, attributionWindowMs, coalesce } from "./attribution-journal.ts";
export { type BuildOutcome, buildCheckpoint, type CheckpointBuilder } from "./build-checkpoint.ts";
export { changedDocuments, type ChangedDocuments } from "./peers/changed-documents.ts";
export {
  type CheckpointPolicy,
  checkpointFromMs,
  defaultCheckpointPolicy,
} from "./checkpoint-policy.ts";
export { checkpointDocument, type CheckpointOutcome, pruneDocument } from "./checkpointer.ts";
export { readAuditJournal, type JournaledEntry } from "./drift/audit-journal.ts";
export {
  defaultDriftTimes,
  type DriftTimes,
  type DriftWatchOptions,
} from "./drift/drift-options.ts";
export { driftCauses, type DriftCounters, type DriftReport } from "./drift/drift-report.ts";
export { DriftWatch } from "./drift/drift-watch.ts";
export type { DocumentRound } from "./document-outbox.ts";
export type { EditDescription } from "./live/edit-description.ts";
export { connectPresence, type PresenceHost } from "./live/connect-presence.ts";
export type { LiveHome } from "./live/document-home.ts";
export { LiveDocument } from "./live/live-document.ts";
export type { LiveDocumentOptions } from "./live/live-document-options.ts";
export type { WaitOptions } from "./wait-until.ts";
export * from "./live/live-events.ts";
export { LiveReplica, type LiveReplicaOptions } from "./live/live-replica.ts";
export { noteDevice, type DeviceRecord } from "./device-record.ts";
export { type LiveReplicaParts, openLiveReplica } from "./open-live-replica.ts";
export { loadDocument, type LoadedLog } from "./load-document.ts";
export { defaultAuditBudget, type AuditBudget } from "./audit-budget.ts";
export type {
  LogSelection,
  LogTrials,
  LogVerdict,
  SourceSummary,
  TriedEnvelope,
} from "./log-trials.ts";
export { defaultParkingBounds, type ParkingBounds } from "./parking-bounds.ts";
export * from "./peers/forked-lanes.ts";
export { forwardPresence } from "./peers/forward-presence.ts";
export * from "./peers/live-peers.ts";
export type { MayOffer, OfferPeer } from "./peers/offered-documents.ts";
export * from "./peers/peer-dialer.ts";
export type { SessionEnd, SessionListener } from "./peers/peer-connections.ts";
export type { PeerHostOptions } from "./peers/peer-host-options.ts";
export * from "./peers/peer-host.ts";
export * from "./peers/peer-meter.ts";
export * from "./peers/peer-presence.ts";
export * from "./peers/peer-set.ts";
export * from "./peers/peer-source.ts";
export type { RefusedEdit } from "./peers/read-refused.ts";
export { EngineFolder } from "./engine-folder.ts";
export type {
  DialerChange,
  DialerCounters,
  DialerState,
  DialerStateName,
} from "./peers/dialer-state.ts";
export { PeerDialer, type DialedConnection, type PeerDialerOptions } from "./peers/peer-dialer.ts";
export * from "./pending-updates.ts";
export { DocumentAccess } from "./document-access.ts";
export { LogSource, type LogSourceOptions } from "./projections/log-source.ts";
export type { LastInvalid } from "./projections/invalid-documents.ts";
export * from "./projections/projection-host.ts";
export { DeadChanges, type DeadChangesParts, type KeptDead } from "./sinks/dead-changes.ts";
export type { SinkCounters, SinkParts } from "./sinks/document-sender.ts";
export { HostedSink, type HostedSinkParts, type SinkState } from "./sinks/hosted-sink.ts";
export { dropDead, type SettledDead, type SettleParts } from "./sinks/settle-dead.ts";
export { SinkHost, type SinkHostOptions } from "./sinks/sink-host.ts";
export { SinkRunner, type SinkTurn } from "./sinks/sink-runner.ts";
export { webhook, type WebhookOptions } from "./sinks/webhook.ts";
export {
  type CheckpointTools,
  readCheckpoint,
  type VerifiedCheckpoint,
  verifyCheckpoint,
} from "./read-checkpoint.ts";
export * from "./recovery.ts";
export * from "./replica-counters.ts";
export * from "./document-host.ts";
export * from "./replica-document.ts";
export {
  defaultDocumentBytesMax,
  defaultTrialBytesMax,
  type ReplicaOptions,
  type ReplicaState,
} from "./replica-options.ts";
export * from "./replica.ts";
export { stateCacheBytesMax } from "./state-cache.ts";
export * from "./state-folder.ts";
export * from "./telemetry.ts";
export * from "./token-bucket.ts";
export { traceFieldsOf, visibleReason, type TracedStep } from "./edit-trace.ts";
export * from "./open-telemetry.ts";
export type { SubmitOutcome } from "./update-intake.ts";
export * from "./walk-log.ts";
