import {
  decodeEnvelope,
  EnvelopeKind,
  PayloadCodec,
  toHex,
  type Envelope,
  type Hash,
  type LaneId,
  type LogStore,
} from "@heddle/core";
import type { SourceChange, SourceDocument } from "@heddle/reconcile";

export interface LogStretch {
  readonly store: LogStore;
  readonly hash: Hash;
  readonly document: SourceDocument;
  /** Lane → seq, exclusive. */
  readonly above: ReadonlyMap<LaneId, number>;
  /** Lane → seq, inclusive: what arrived since then is for the next reading. */
  readonly upTo: ReadonlyMap<LaneId, number>;
  /** Ids in hex of envelopes that are kept out of the document. */
  readonly recalled: ReadonlySet<string>;
}

/**
 * Changes of a document, in the order of arrival, in chunks.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT`, or what reading an envelope throws.
 */
export async function* readLogChanges(stretch: LogStretch): AsyncIterable<readonly SourceChange[]> {
  const { store, hash, document, above, upTo, recalled } = stretch;
  for await (const chunk of store.readLogByArrival(document.id, { above })) {
    const changes: SourceChange[] = [];
    for (const { lane, seq, bytes } of chunk) {
      if (seq > (upTo.get(lane) ?? 0)) continue;
      const envelope = decodeEnvelope(hash, bytes);
      const { kind, codec } = envelope;
      const isUpdate = kind === EnvelopeKind.update && codec === PayloadCodec.yjsV1;
      if (isUpdate && !recalled.has(toHex(envelope.id))) changes.push(changeOf(document, envelope));
    }
    if (changes.length > 0) yield changes;
  }
}

/** An envelope as folds and sinks are handed it. */
export function changeOf(document: SourceDocument, envelope: Envelope): SourceChange {
  const { id, lane, seq, hlc, payload, principal, reason, correlationId } = envelope;
  return {
    id,
    document,
    lane,
    seq,
    hlc,
    update: payload,
    principal: principal && textOf(principal),
    reason: reason && textOf(reason),
    correlationId: correlationId && toHex(correlationId),
  };
}

const decoder = new TextDecoder();

function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
