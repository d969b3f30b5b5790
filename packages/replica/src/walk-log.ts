import {
  acceptEnvelope,
  decodeEnvelope,
  equalBytes,
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  type DocumentId,
  type Envelope,
  type Hash,
  type LaneId,
  type LanePosition,
  type LogStore,
  type StoredDocument,
  type StoredEnvelope,
} from "@heddle/core";

/** One reading of a log, lane by lane. */
export interface LogWalk {
  readonly store: LogStore;
  readonly hash: Hash;
  readonly document: StoredDocument;
  /** Where to begin; the positions in it are moved forward as the walk goes on. */
  readonly positions: Map<LaneId, LanePosition>;
}

/**
 * Reads the log of a document above `positions` in the order of arrival, so that nothing comes before
 * what it depends on, whichever lane that is in. Proves it on the way: every envelope hashes into the
 * chain of its lane, nothing is missing, and the kept vector lies on the chain (LOG-1, LOG-2).
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` at the first envelope that does not fit,
 * `HEDDLE_STORAGE_VERSION` at one that a newer heddle wrote.
 */
export async function* walkLog(walk: LogWalk): AsyncIterable<Envelope> {
  const { store, hash, document, positions } = walk;
  const above = new Map([...positions].map(([lane, { seq }]) => [lane, seq]));
  for await (const chunk of store.readLogByArrival(document.id, { above })) {
    for (const stored of chunk) {
      const envelope = decode(hash, document.id, stored);
      assertPlace(document.id, stored, envelope);
      const acceptance = acceptEnvelope(positions.get(stored.lane), envelope, () => undefined);
      if (acceptance.outcome !== "applied") {
        throw corrupt(document.id, stored, `it is ${acceptance.outcome} where the chain goes on`);
      }
      positions.set(stored.lane, acceptance.position);
      assertKept(document, stored, envelope);
      yield envelope;
    }
  }
  for (const [lane, kept] of document.vector) {
    const { seq } = positions.get(lane) ?? { seq: 0 };
    if (seq < kept.seq) {
      throw corrupt(document.id, { lane, seq: seq + 1 }, "it is missing from the end of its lane");
    }
  }
}

function decode(hash: Hash, id: DocumentId, stored: StoredEnvelope): Envelope {
  try {
    return decodeEnvelope(hash, stored.bytes);
  } catch (cause) {
    if (!isHeddleError(cause)) throw cause;
    if (cause.code === HeddleErrorCode.protocolVersion) {
      throw new HeddleError(HeddleErrorCode.storageVersion, cause.message, { cause });
    }
    throw corrupt(id, stored, "it cannot be read", cause);
  }
}

function assertPlace(id: DocumentId, stored: StoredEnvelope, envelope: Envelope): void {
  const { lane, seq } = stored;
  if (envelope.document !== id || envelope.lane !== lane || envelope.seq !== seq) {
    throw corrupt(id, stored, "another envelope lies in its place");
  }
}

function assertKept(document: StoredDocument, stored: StoredEnvelope, envelope: Envelope): void {
  const kept = document.vector.get(stored.lane);
  if (kept?.seq === stored.seq && !equalBytes(kept.head, envelope.id)) {
    throw corrupt(document.id, stored, "it is not the one that the kept vector names");
  }
}

function corrupt(
  document: DocumentId,
  { lane, seq }: Pick<StoredEnvelope, "lane" | "seq">,
  why: string,
  cause?: unknown,
): HeddleError {
  return new HeddleError(
    HeddleErrorCode.storageCorrupt,
    `envelope ${seq} of lane ${lane} in document ${document} is damaged: ${why}`,
    { cause },
  );
}
