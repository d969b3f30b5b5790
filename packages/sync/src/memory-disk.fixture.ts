import type {
  CheckpointHeader,
  DocumentEntry,
  DocumentId,
  Envelope,
  LaneDescriptor,
  LaneId,
  LanePosition,
  VersionVector,
} from "@heddle/core";

import type { FixtureLane } from "./environment.fixture.ts";
import type { FeedCursor, Incarnation, KeptAck, KeptOutbox, KeptRefusal } from "./sync-effects.ts";

export interface MemoryCheckpoint {
  readonly header: CheckpointHeader;
  readonly vector: VersionVector;
  readonly vectorBytes: Uint8Array;
  readonly payload: Uint8Array;
}

export interface MemoryDocument {
  readonly entry: DocumentEntry;
  readonly vector: Map<LaneId, LanePosition>;
  log: Envelope[];
  floors: ReadonlyMap<LaneId, number>;
  checkpoint?: MemoryCheckpoint;
  lastArrival: number;
}

/** What survives a restart of a {@link MemoryHost}. */
export class MemoryDisk {
  readonly documents = new Map<DocumentId, MemoryDocument>();
  readonly lanes = new Map<LaneId, LaneDescriptor>();
  readonly cursors = new Map<string, FeedCursor>();
  readonly incarnations: Incarnation[] = [];
  /** Lanes that this replica wrote. */
  readonly own = new Set<LaneId>();
  readonly acks = new Map<string, KeptAck>();
  readonly refusals = new Map<string, KeptRefusal>();
  arrivals = 0;

  /** Stores the next `count` envelopes of a lane. */
  async write(lane: FixtureLane, count = 1): Promise<void> {
    this.lanes.set(lane.descriptor.id, lane.descriptor);
    this.add(lane.entry, await lane.run(count));
  }

  /** A copy, as of now. */
  clone(): MemoryDisk {
    const copy = new MemoryDisk();
    for (const [id, document] of this.documents) {
      copy.documents.set(id, {
        ...document,
        vector: new Map(document.vector),
        log: [...document.log],
      });
    }
    for (const [id, lane] of this.lanes) copy.lanes.set(id, lane);
    for (const [id, cursor] of this.cursors) copy.cursors.set(id, cursor);
    copy.incarnations.push(...this.incarnations);
    for (const lane of this.own) copy.own.add(lane);
    for (const [key, ack] of this.acks) copy.acks.set(key, ack);
    for (const [key, refusal] of this.refusals) copy.refusals.set(key, refusal);
    copy.arrivals = this.arrivals;
    return copy;
  }

  /** As the host reads it: of what all peers that are known have, no envelope is read. */
  keptOutbox(): KeptOutbox {
    const logs = [...this.documents.values()].flatMap(({ log }) => log);
    const isWithAll = ({ document, lane, seq }: Envelope): boolean => {
      const stores = [...this.cursors.keys()];
      const ackedBy = (store: string) => this.acks.get(store + document + lane)?.seq ?? 0;
      return stores.length > 0 && stores.every((store) => ackedBy(store) >= seq);
    };
    const own = logs
      .filter((envelope) => this.own.has(envelope.lane) && !isWithAll(envelope))
      .map(({ document, lane, seq, bytes, hlc }) => {
        const [fromSeq, toSeq] = [seq, seq];
        return { document, lane, fromSeq, toSeq, bytes: bytes.length, writtenMs: hlc.wallMs };
      });
    return { own, acks: [...this.acks.values()], refusals: [...this.refusals.values()] };
  }

  documentOf(entry: DocumentEntry): MemoryDocument {
    const known = this.documents.get(entry.id);
    const document = known ?? {
      entry,
      vector: new Map(),
      log: [],
      floors: new Map(),
      lastArrival: 0,
    };
    this.documents.set(entry.id, document);
    return document;
  }

  add(entry: DocumentEntry, run: readonly Envelope[]): void {
    const document = this.documentOf(entry);
    const { vector, log } = document;
    document.lastArrival = ++this.arrivals;
    for (const envelope of run) {
      const have = vector.get(envelope.lane)?.seq ?? 0;
      if (envelope.seq !== have + 1) throw new Error(`I1: ${have} then ${envelope.seq}`);
      vector.set(envelope.lane, { seq: envelope.seq, head: envelope.id });
      log.push(envelope);
    }
  }
}
