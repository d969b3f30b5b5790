export { comparePlaces, type ArrivalPlace } from "./envelope-record.ts";
export type { JournalEntry, NumberedJournalEntry } from "./history-records.ts";
export { LevelLogStore } from "./level-log-store.ts";
export { LevelProjectionStore } from "./level-projection-store.ts";
export {
  openLevelProjectionStore,
  type LevelProjectionOptions,
  type OpenedProjectionStore,
} from "./open-projection-store.ts";
export { levelStore, type LevelStoreOpener } from "./level-store.ts";
export {
  openLevelDatabase,
  type DatabaseOpening,
  type Entry,
  type LogDatabase,
  type OpenDatabase,
  type Operation,
} from "./level-database.ts";
export type { DeviceFile } from "./device-file.ts";
export type { Finding, FindingPart, VerifiedTotals } from "./finding.ts";
export { openLevelStore, type LevelStoreOptions } from "./open-level-store.ts";
export type { SpaceLimits } from "./space-guard.ts";
export * from "./store-layout.ts";
export { StoreScrub, type ScrubStatus, type StoreScrubOptions } from "./store-scrub.ts";
export { markerName, readMarker, storeFormat } from "./store-marker.ts";
export { readWitness, witnessName, writeWitness, type Witness } from "./witness.ts";
export { verifyFolder, type FolderReport, type VerifyFolderOptions } from "./verify-folder.ts";
export { snapshotLog, type SnapshotWay } from "./snapshot-log.ts";
export { verifyStore, type StoreVerification } from "./verify-store.ts";
export { backupStore, restoreStore, type Backup, type BackupReport } from "./backup-store.ts";
export { compactStore, type CompactReport } from "./compact-store.ts";
export type { SalvagedBase } from "./salvaged-base.ts";
export type { SalvagedRef } from "./salvaged-chain.ts";
export type { SalvagedDocument, SalvagedLane } from "./salvaged-document.ts";
export type { SalvagedHistory } from "./salvaged-history.ts";
export { SalvagedStore, type SalvageOptions } from "./salvaged-store.ts";
export { storageError } from "./level-errors.ts";
export { isMissing } from "./files.ts";
export { newFolder, type NewFolder } from "./new-folder.ts";
export { syncFolder } from "./replace-file.ts";
export {
  assertNotHalfReplaced,
  assertReplaceable,
  isHalfReplaced,
  replaceStore,
  resumeReplacement,
  type Replaced,
  type ReplaceOptions,
} from "./replace-store.ts";
export { lockFolder, type StoreLock } from "./store-lock.ts";
