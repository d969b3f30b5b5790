import { toHex } from "@heddle/core";

import type { TracedStep } from "./edit-trace.ts";
import type { ReplicaTelemetry } from "./telemetry.ts";

/**
 * The part of `@opentelemetry/api` that is used: hand the module itself in. Nothing of it is a dependency
 * of heddle, and who traces nothing loads nothing.
 */
export interface OpenTelemetryApi<Context> {
  readonly ROOT_CONTEXT: Context;
  readonly trace: {
    getTracer(name: string): SpanStarter<Context>;
    setSpanContext(context: Context, spanContext: RemoteSpan): Context;
  };
}

/** The part of OpenTelemetry's `Tracer` that is used. */
export interface SpanStarter<Context> {
  startSpan(
    name: string,
    options?: {
      startTime?: number;
      attributes?: Record<string, string | number>;
    },
    context?: Context,
  ): { end(endTime?: number): void };
}

/** A span of another process, as OpenTelemetry names it. */
export interface RemoteSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly isRemote: boolean;
}

/** For {@link traceEdits}. */
export interface EditTracingOptions<Context> {
  readonly api: OpenTelemetryApi<Context>;
  /** Of the API's global provider by default. */
  readonly tracer?: SpanStarter<Context>;
}

const sampled = 1;

/**
 * Spans `heddle.transact`, `heddle.commit`, `heddle.push` (one for each peer) and `heddle.receive` for edits
 * with a correlation id. One of 16 bytes is the trace id of all of them, at every replica: they are one trace. Others are an attribute.
 *
 * Only ids travel, so all spans of a trace have one parent that nobody sends: the first 8 bytes of its id.
 */
export function traceEdits<Context>({
  api,
  tracer = api.trace.getTracer("heddle"),
}: EditTracingOptions<Context>): Required<Pick<ReplicaTelemetry, "onTraced">> {
  return {
    onTraced(step) {
      const traceId = toHex(step.correlationId);
      const context = isTraceId(traceId)
        ? api.trace.setSpanContext(api.ROOT_CONTEXT, {
            traceId,
            spanId: parentOf(traceId),
            traceFlags: sampled,
            isRemote: true,
          })
        : api.ROOT_CONTEXT;
      const { name, endedAtMs, tookMs } = step;
      const options = { startTime: endedAtMs - tookMs, attributes: attributesOf(step) };
      tracer.startSpan(name, options, context).end(endedAtMs);
    },
  };
}

function attributesOf(step: TracedStep): Record<string, string | number> {
  const { correlationId, reason, document, lane, seq, peer } = step;
  return {
    "heddle.correlation_id": toHex(correlationId),
    ...(reason !== undefined && { "heddle.reason": reason }),
    ...(document !== undefined && { "heddle.document": document }),
    ...(lane !== undefined && { "heddle.lane": lane }),
    ...(seq !== undefined && { "heddle.seq": seq }),
    ...(peer !== undefined && { "heddle.peer": peer }),
  };
}

function isTraceId(hex: string): boolean {
  return hex.length === 32 && /[^0]/.test(hex);
}

/** Any id but zero will do, as long as it is the same everywhere. */
function parentOf(traceId: string): string {
  const spanId = traceId.slice(0, 16);
  return /[^0]/.test(spanId) ? spanId : traceId.slice(16);
}
