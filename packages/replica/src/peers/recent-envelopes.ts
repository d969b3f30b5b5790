import type { DocumentId, Envelope, LaneId } from "@heddle/core";

import type { StoredRound } from "../committer.ts";

/** Bounds of what is kept for peers: of all documents, and of one. */
export const recentLimits = { bytesMax: 8 * 1024 * 1024, perDocumentMax: 256 } as const;
/** What an envelope takes beside its encoding: small ones of very many documents are bounded as well. */
const overheadBytes = 1_024;

/** What a peer lacks. */
export interface LackingRange {
  readonly document: DocumentId;
  /** Seqs that it does not lack; none of a lane that is missing. */
  readonly above: ReadonlyMap<LaneId, number>;
  /** Of lanes of which it lacks something: how far. */
  readonly upTo: ReadonlyMap<LaneId, number>;
  readonly bytesMax: number;
}

interface RecentLog {
  /** The end of the log, in the order of arrival. */
  readonly envelopes: Envelope[];
  /** Seqs of each lane that are here, without a gap. */
  readonly lanes: Map<LaneId, { fromSeq: number; toSeq: number }>;
  bytes: number;
}

/**
 * The newest envelopes of documents that peers have open, as they were committed: what goes on to a peer
 * at once need not be read from the disk again. A cache: it answers all that is asked or nothing, and
 * the documents that were written to longest ago go first.
 */
export class RecentEnvelopes {
  readonly #documents = new Map<DocumentId, RecentLog>();
  #bytes = 0;

  /** What is on disk since now. */
  add({ documents }: StoredRound): void {
    for (const { entry, envelopes } of documents) {
      if (envelopes.length > 0) this.#addTo(entry.id, envelopes);
    }
    for (const [document, log] of this.#documents) {
      if (this.#bytes <= recentLimits.bytesMax) return;
      this.#forget(document, log);
    }
  }

  /** All that the peer lacks, in the order of arrival, or `undefined` when the disk has to say. */
  read({ document, above, upTo, bytesMax }: LackingRange): readonly Envelope[] | undefined {
    const log = this.#documents.get(document);
    if (log === undefined) return undefined;
    for (const [lane, seq] of upTo) if ((log.lanes.get(lane)?.toSeq ?? 0) < seq) return undefined;
    // Of every lane, as on the disk: what came meanwhile may be the cause of what was asked for.
    for (const [lane, { fromSeq, toSeq }] of log.lanes) {
      const after = above.get(lane) ?? 0;
      if (toSeq > after && fromSeq > after + 1) return undefined;
    }
    const lacking = log.envelopes.filter(({ lane, seq }) => seq > (above.get(lane) ?? 0));
    const bytes = lacking.reduce((sum, envelope) => sum + envelope.bytes.length, 0);
    return bytes > bytesMax ? undefined : lacking;
  }

  clear(): void {
    this.#documents.clear();
    this.#bytes = 0;
  }

  #addTo(document: DocumentId, envelopes: readonly Envelope[]): void {
    const known = this.#documents.get(document);
    this.#documents.delete(document);
    let log = known ?? logOf([]);
    for (const envelope of envelopes) {
      const { lane, seq } = envelope;
      const held = log.lanes.get(lane);
      const isFull = log.envelopes.length >= recentLimits.perDocumentMax;
      const isGap = held !== undefined && held.toSeq + 1 !== seq;
      if (isFull || isGap) {
        this.#bytes -= log.bytes;
        // Of a lane there is one stretch without a gap.
        log = logOf(isGap ? [] : log.envelopes.slice(recentLimits.perDocumentMax / 2));
        this.#bytes += log.bytes;
      }
      append(log, envelope);
      this.#bytes += sizeOf(envelope);
    }
    this.#documents.set(document, log);
  }

  #forget(document: DocumentId, log: RecentLog): void {
    this.#documents.delete(document);
    this.#bytes -= log.bytes;
  }
}

function logOf(envelopes: readonly Envelope[]): RecentLog {
  const log: RecentLog = { envelopes: [], lanes: new Map(), bytes: 0 };
  for (const envelope of envelopes) append(log, envelope);
  return log;
}

function append(log: RecentLog, envelope: Envelope): void {
  const { lane, seq } = envelope;
  const { fromSeq } = log.lanes.get(lane) ?? { fromSeq: seq };
  log.lanes.set(lane, { fromSeq, toSeq: seq });
  log.envelopes.push(envelope);
  log.bytes += sizeOf(envelope);
}

function sizeOf({ bytes }: Envelope): number {
  return bytes.length + overheadBytes;
}
