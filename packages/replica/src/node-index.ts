export * from "./node-environment.ts";
export { openReplica, type OpenReplicaOptions, type StoreOpener } from "./node-open-replica.ts";
