export type { JournalEntry, NumberedJournalEntry } from "./history-records.ts";
export { LevelLogStore } from "./level-log-store.ts";
export {
  openLevelDatabase,
  type DatabaseOpening,
  type Entry,
  type LogDatabase,
  type OpenDatabase,
  type Operation,
} from "./level-database.ts";
export { logFolderName, openLevelStore, type LevelStoreOptions } from "./open-level-store.ts";
export { markerName, storeFormat } from "./store-marker.ts";
export { readWitness, witnessName, writeWitness, type Witness } from "./witness.ts";
