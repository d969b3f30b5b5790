import { HeddleError, HeddleErrorCode, limits } from "@heddle/core";
import type { EditContext } from "@heddle/document";

/** What an application says about a transaction. */
export interface EditDescription {
  /** Why, in its own words; at most `limits.reasonBytesMax` bytes of UTF-8. */
  readonly reason?: string;
  /** What else belongs to it; at most `limits.correlationIdBytesMax` bytes. */
  readonly correlationId?: Uint8Array;
  /** Of the Yjs transaction, for observers and `UndoManager`. It stays on this side. */
  readonly origin?: unknown;
}

/** @throws HeddleError `HEDDLE_CONFIG_INVALID` when something is longer than an envelope takes. */
export function editContext({ reason, correlationId }: EditDescription): EditContext | undefined {
  if (reason === undefined && correlationId === undefined) return undefined;
  const bytes = reason === undefined ? undefined : new TextEncoder().encode(reason);
  assertLength("reason", bytes, limits.reasonBytesMax);
  assertLength("correlation id", correlationId, limits.correlationIdBytesMax);
  return { reason: bytes, correlationId: correlationId?.slice() };
}

function assertLength(what: string, bytes: Uint8Array | undefined, lengthMax: number): void {
  if (bytes === undefined || bytes.length <= lengthMax) return;
  const message = `a ${what} of ${bytes.length} bytes, at most ${lengthMax} are taken`;
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}
