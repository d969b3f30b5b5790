export { testCheckpoint } from "./checkpoint-contract.ts";
export { collect, collectChunks, collectLog, pictureOf, type LogPicture } from "./collect-log.ts";
export {
  describeLogStoreContract,
  type LogStoreContractOptions,
  type LogStoreHarness,
  type LogStoreSite,
} from "./log-store-contract.ts";
export { ManualTime } from "./manual-time.ts";
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
export * from "./simulation/index.ts";
