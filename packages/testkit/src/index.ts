export { testCheckpoint } from "./checkpoint-contract.ts";
export { collect, collectChunks, collectLog, pictureOf, type LogPicture } from "./collect-log.ts";
export {
  describeLogStoreContract,
  type LogStoreContractOptions,
  type LogStoreHarness,
  type LogStoreSite,
} from "./log-store-contract.ts";
export { CountedScheduler } from "./counted-scheduler.ts";
export { ManualTime } from "./manual-time.ts";
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
