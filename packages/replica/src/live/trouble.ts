import { HeddleError, HeddleErrorCode } from "@heddle/core/base";

type Code = HeddleError["code"];

/** Nothing gets better by waiting: the log is damaged or too new, or the replica is closed. */
const permanent: ReadonlySet<Code> = new Set<Code>([
  HeddleErrorCode.storageClosed,
  HeddleErrorCode.storageCorrupt,
  HeddleErrorCode.storageVersion,
  HeddleErrorCode.updateRefused,
  HeddleErrorCode.frameMalformed,
]);

/** The edits are as good as they were; it is the machine that cannot take them now. */
const passing: ReadonlySet<Code> = new Set<Code>([
  HeddleErrorCode.storageClosed,
  HeddleErrorCode.storageFull,
  HeddleErrorCode.storageIo,
  // The store is lost to this page: the document goes on in another one.
  HeddleErrorCode.storageLocked,
  HeddleErrorCode.storageEvicted,
  HeddleErrorCode.relayOverloaded,
]);

export function isPermanent({ code }: HeddleError): boolean {
  return permanent.has(code);
}

export function isStoreFailure({ code }: HeddleError): boolean {
  return passing.has(code);
}

/** 100 ms, doubled with each attempt up to 10 s. */
export function retryDelayMs(attempt: number): number {
  return Math.min(100 * 2 ** (attempt - 1), 10_000);
}

export function replicaClosed(): HeddleError {
  return new HeddleError(HeddleErrorCode.storageClosed, "the document, or its replica, is closed");
}
