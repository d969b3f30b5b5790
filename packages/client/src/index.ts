export * from "./broadcast-channel-transport.ts";
export * from "./http-transport.ts";
export { openReplica, type OpenReplicaOptions } from "./open-replica.ts";
export { memoryStore } from "./platform/memory-store.ts";
export type { Durability, KeyKeep, OpenedStore, ReplicaStore } from "./platform/platform.ts";
export { HeddleProvider } from "./provider/heddle-provider.ts";
export type { ProviderMember } from "./provider/provider-member.ts";
export type { HeddleProviderOptions } from "./provider/provider-options.ts";
export type * from "./provider/provider-events.ts";
export * from "./web-socket-transport.ts";
export {
  importYIndexeddb,
  type YIndexeddbImport,
  type YIndexeddbImportOptions,
} from "./y-indexeddb/import-y-indexeddb.ts";
