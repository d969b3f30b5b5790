export { testCheckpoint } from "./log-store/describe-checkpoints.ts";
export {
  collect,
  collectChunks,
  collectLog,
  collectLogByArrival,
  pictureOf,
  type LogPicture,
} from "./collect-log.ts";
export { describeLogStoreContract, type LogStoreContractOptions } from "./log-store/contract.ts";
export type { LogStoreHarness, LogStoreSite } from "./log-store/store-bench.ts";
export { behindLetters, letters } from "./behind-letters.ts";
export { CountedScheduler } from "./counted-scheduler.ts";
export { describeDiscoveryContract, type DiscoverySite } from "./discovery-contract.ts";
export { MemorySegment } from "./memory-segment.ts";
export { ManualTime } from "./manual-time.ts";
export {
  describeProjectionStoreContract,
  type ProjectionStoreContractOptions,
} from "./projection-store/contract.ts";
export type {
  ProjectionStoreHarness,
  ProjectionStoreSite,
} from "./projection-store/projection-bench.ts";
export { RecordedEnd } from "./recorded-end.ts";
export {
  RecordedLog,
  seededRandom,
  seededSigner,
  testEnvironment,
  testCompression,
  testHash,
  testVerifier,
  type LogLine,
  type TestEnvironment,
  type TestEnvironmentOptions,
} from "./test-environment.ts";
export { testDocument, TestWriter } from "./test-writer.ts";
export {
  describeTransportContract,
  type TransportSide,
  type TransportSite,
  type TransportTraits,
} from "./transport-contract.ts";
export * from "./simulation/index.ts";
export {
  lightEditOf,
  MemorySource,
  type LightContent,
  type LightEdit,
} from "./projections/memory-source.ts";
export { inconsistenciesIn, readTotals, recountSource } from "./projections/read-projection.ts";
export { checkFoldLaws, checkFoldOrder, type FoldLawOptions } from "./projections/fold-laws.ts";
export { PairedConnection } from "./paired-connection.ts";
export { lightProjections } from "./projections/light-projections.ts";
export {
  ProjectionWorld,
  type ProjectionFaults,
  type Reconciler,
} from "./projections/projection-world.ts";
