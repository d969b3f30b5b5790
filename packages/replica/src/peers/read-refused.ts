import { decodeEnvelope, PayloadCodec, type Environment, type LogStore } from "@heddle/core";
import type { KeptRefusal } from "@heddle/sync";

import { visibleReason } from "../edit-trace.ts";

export interface RefusedReading {
  readonly store: LogStore;
  readonly environment: Pick<Environment, "hash">;
}

export type RefusedStretch = Pick<KeptRefusal, "document" | "lane" | "seq">;

/** One edit of a lane that a peer does not take. */
export interface RefusedEdit {
  readonly seq: number;
  /** Wall clock of the device that wrote it, milliseconds. */
  readonly writtenAtMs: number;
  /** What the application gave it, if it did. */
  readonly correlationId: Uint8Array | undefined;
  /** In the application's words, on one visible line. */
  readonly reason: string | undefined;
  /** Yjs V1. */
  readonly update: Uint8Array;
}

/**
 * The edits of a refused lane, from the one that was refused on, in order.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function* readRefused(
  { store, environment: { hash } }: RefusedReading,
  { document, lane, seq: fromSeq }: RefusedStretch,
): AsyncGenerator<RefusedEdit> {
  const range = { above: new Map([[lane, fromSeq - 1]]), lane };
  for await (const chunk of store.readLogByArrival(document, range)) {
    for (const { bytes } of chunk) {
      const { codec, payload, seq, hlc, correlationId, reason } = decodeEnvelope(hash, bytes);
      if (codec !== PayloadCodec.yjsV1) continue;
      yield {
        seq,
        writtenAtMs: hlc.wallMs,
        correlationId: correlationId && new Uint8Array(correlationId),
        reason: reason && visibleReason(reason),
        update: new Uint8Array(payload),
      };
    }
  }
}
