import { HeddleError, HeddleErrorCode, isHeddleError, type DocumentId } from "@heddle/core";

import { rethrowLater } from "./live/event-listeners.ts";

/**
 * What reading the log of one document failed with. An invariant that does not hold there is damage of
 * that document: it stays closed, and every other one is none the worse.
 */
export function damageOf(document: DocumentId, error: unknown): HeddleError {
  if (isHeddleError(error)) return error;
  const message = `the log of document ${document} does not add up: ${String(error)}`;
  return new HeddleError(HeddleErrorCode.storageCorrupt, message, { cause: error });
}

/** What a commit round failed with. Without a code it is a broken invariant: nobody may go on as if nothing had happened. */
export function storeFailureOf(error: unknown): HeddleError {
  if (isHeddleError(error)) return error;
  rethrowLater(error);
  return new HeddleError(HeddleErrorCode.storageIo, "a commit round failed", { cause: error });
}

/** Whether the disk is at fault, so that nobody knows what is on it. */
export function isOfStore(error: unknown): error is HeddleError {
  const { storageIo, storageFull } = HeddleErrorCode;
  return isHeddleError(error, storageIo) || isHeddleError(error, storageFull);
}
