export * from "./node-environment.ts";
export { replaceFile } from "./node-replace-file.ts";
export {
  deviceKeyFileIn,
  openReplica,
  type OpenReplicaOptions,
  type StoreOpener,
} from "./node-open-replica.ts";
