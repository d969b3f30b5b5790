import {
  fromHex,
  HeddleError,
  HeddleErrorCode,
  limits,
  type Clock,
  type DocumentId,
} from "@heddle/core/base";
import type { DocumentBinding, EditContext } from "@heddle/document";

import { visibleReason } from "../edit-trace.ts";
import type { ReplicaTelemetry } from "../telemetry.ts";

/** What an application says about a transaction. */
export interface EditDescription {
  /** Why, in its own words; at most `limits.reasonBytesMax` bytes of UTF-8. */
  readonly reason?: string;
  /**
   * What else belongs to it, at every replica: up to `limits.correlationIdBytesMax` bytes, or a W3C
   * `traceparent`, whose trace id (16 bytes) is kept.
   */
  readonly correlationId?: Uint8Array | string;
  /** Of the Yjs transaction, for observers and `UndoManager`. It stays on this side. */
  readonly origin?: unknown;
}

/** Where a transaction is made, and who is told of it. */
export interface DescribedPlace {
  readonly binding: DocumentBinding;
  readonly clock: Clock;
  readonly telemetry: ReplicaTelemetry | undefined;
  /** Of the log, once it is there. */
  readonly document: DocumentId | undefined;
}

/**
 * One transaction, with what the application says about it.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` when something is longer than an envelope takes, or a text
 * is no `traceparent`.
 */
export function transactDescribed<Result>(
  { binding, clock, telemetry, document }: DescribedPlace,
  edit: () => Result,
  about: EditDescription,
): Result {
  const context = editContext(about);
  const startedMs = clock.monotonicMs();
  const result = binding.transact(edit, context, about.origin ?? null);
  if (context && telemetry) traceEdit(telemetry, clock, startedMs, context, document);
  return result;
}

function editContext({ reason, correlationId: given }: EditDescription): EditContext | undefined {
  if (reason === undefined && given === undefined) return undefined;
  const correlationId = typeof given === "string" ? traceIdOf(given) : given;
  const bytes = reason === undefined ? undefined : new TextEncoder().encode(reason);
  assertLength("reason", bytes, limits.reasonBytesMax);
  assertLength("correlation id", correlationId, limits.correlationIdBytesMax);
  return { reason: bytes, correlationId: correlationId?.slice() };
}

/** Says that a transaction was made, if it has a correlation id. `startedMs` is monotonic. */
function traceEdit(
  telemetry: ReplicaTelemetry,
  clock: Clock,
  startedMs: number,
  { correlationId, reason }: EditContext,
  document: DocumentId | undefined,
): void {
  if (correlationId === undefined) return;
  telemetry.onTraced?.({
    name: "heddle.transact",
    correlationId,
    reason: reason && visibleReason(reason),
    document,
    lane: undefined,
    seq: undefined,
    endedAtMs: clock.nowMs(),
    tookMs: clock.monotonicMs() - startedMs,
  });
}

/** `00-<32 hexadecimal digits>-<16>-<2>`; neither id may be all zeros. */
function traceIdOf(traceparent: string): Uint8Array {
  const [, traceId] =
    /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.exec(traceparent) ?? [];
  const bytes = traceId === undefined ? undefined : fromHex(traceId);
  if (bytes !== undefined) return bytes;
  const message =
    "a correlation id in text has to be a W3C traceparent; give bytes for anything else";
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}

function assertLength(what: string, bytes: Uint8Array | undefined, lengthMax: number): void {
  if (bytes === undefined || bytes.length <= lengthMax) return;
  const message = `a ${what} of ${bytes.length} bytes, at most ${lengthMax} are taken`;
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}
