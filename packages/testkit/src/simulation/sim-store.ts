import {
  assert,
  bytesOfId,
  concatBytes,
  equalBytes,
  logDigest,
  newStoreId,
  noEnvelopeId,
  openSpaceId,
  type DocumentEntry,
  type DocumentId,
  type Envelope,
  type Hash,
  type LaneDescriptor,
  type LaneId,
  type LanePosition,
  type Signer,
  type Random,
  type StoreId,
} from "@heddle/core";
import {
  LibraryTrie,
  type FeedCursor,
  type ForkProof,
  type Incarnation,
  type KeptAck,
  type OwnRun,
  type SyncRequests,
} from "@heddle/sync";

import {
  decodeBatch,
  encodeBatch,
  type SimBatch,
  type SimCheckpoint,
  type StoredSimCheckpoint,
} from "./sim-batch.ts";
import type { SimDisk } from "./sim-disk.ts";
import { testHash } from "../test-environment.ts";

export interface SimDocument {
  readonly entry: DocumentEntry;
  readonly vector: Map<LaneId, LanePosition>;
  /** In the order of arrival. */
  readonly log: Envelope[];
  readonly forks: ForkProof[];
  /** What is in the checkpoint and not in the log. */
  floors: ReadonlyMap<LaneId, number>;
  checkpoint: SimCheckpoint | undefined;
  lastArrival: number;
}

/** The log of one simulated replica: records on a {@link SimDisk}, and what they add up to in memory. */
export class SimStore {
  readonly documents = new Map<DocumentId, SimDocument>();
  readonly lanes = new Map<LaneId, LaneDescriptor>();
  readonly cursors = new Map<string, FeedCursor>();
  /** By store, document and lane. */
  readonly acks = new Map<string, KeptAck>();
  readonly incarnations: Incarnation[] = [];
  readonly #disk: SimDisk;
  #storeId: StoreId | undefined;
  #arrivals = 0;

  private constructor(disk: SimDisk) {
    this.#disk = disk;
  }

  /** Reads the disk and begins an incarnation; `undefined` when a record is damaged. */
  static open(hash: Hash, disk: SimDisk, random: Random, ready: () => void): SimStore | undefined {
    const reading = disk.read();
    if ("damagedAt" in reading) return undefined;
    const store = new SimStore(disk);
    for (const record of reading.records) store.#apply(decodeBatch(hash, record));
    const id = store.#storeId ?? newStoreId(random);
    store.append({ store: id, incarnation: random.bytes(16) }, (isGood) => {
      if (isGood) ready();
    });
    return store;
  }

  get storeId(): StoreId {
    assert(this.#storeId !== undefined, "a store that is open has an id");
    return this.#storeId;
  }

  get lastArrival(): number {
    return this.#arrivals;
  }

  append(batch: SimBatch, done: (isGood: boolean, arrival: number) => void = () => {}): void {
    this.#disk.append(encodeBatch(batch), (isGood) => {
      if (isGood) this.#apply(batch);
      done(isGood, this.#arrivals);
    });
  }

  idAt(document: DocumentId, lane: LaneId, seq: number): Uint8Array | undefined {
    const stored = this.documents.get(document);
    const position = stored?.vector.get(lane);
    if (position?.seq === seq) return position.head;
    return stored?.log.find((envelope) => envelope.lane === lane && envelope.seq === seq)?.id;
  }

  /** Whether the content of an envelope is on this disk: in the log, or in the checkpoint. */
  covers({ document, lane, seq }: Envelope): boolean {
    const stored = this.documents.get(document);
    return seq <= (stored?.floors.get(lane) ?? 0);
  }

  /** Bytes of the vector and the payload of a checkpoint, while it is the newest. */
  readCheckpoint(
    ask: SyncRequests["readCheckpoint"]["ask"],
  ): SyncRequests["readCheckpoint"]["answer"] {
    const { checkpoint } = this.documents.get(ask.document) ?? {};
    if (!checkpoint || !equalBytes(checkpoint.header.id, ask.checkpoint))
      return { outcome: "gone" };
    const whole = concatBytes([checkpoint.vectorBytes, checkpoint.payload]);
    return { outcome: "read", bytes: whole.slice(ask.offset, ask.offset + ask.bytesMax) };
  }

  durableSeq(document: DocumentId, lane: LaneId): number {
    return this.documents.get(document)?.vector.get(lane)?.seq ?? 0;
  }

  /** Envelopes of a device that are in the log here. */
  runsOf({ devicePublicKey }: Signer): (OwnRun & { document: DocumentId; lane: LaneId })[] {
    const isOwn = (lane: LaneId) => {
      const descriptor = this.lanes.get(lane);
      return descriptor !== undefined && equalBytes(descriptor.devicePublicKey, devicePublicKey);
    };
    // As a host reads them: of what all peers that are known have, no envelope is read.
    const acked = new Map<string, number[]>();
    for (const { document, lane, seq } of this.acks.values()) {
      acked.set(document + lane, [...(acked.get(document + lane) ?? []), seq]);
    }
    const isWithAll = ({ document, lane, seq }: Envelope): boolean => {
      const seqs = acked.get(document + lane) ?? [];
      return seqs.length > 0 && seqs.length >= this.cursors.size && Math.min(...seqs) >= seq;
    };
    const logs = [...this.documents.values()].flatMap(({ log }) => log);
    return logs
      .filter((envelope) => isOwn(envelope.lane) && !isWithAll(envelope))
      .map(({ document, lane, seq, bytes, hlc }) => {
        const [fromSeq, toSeq] = [seq, seq];
        return { document, lane, fromSeq, toSeq, bytes: bytes.length, writtenMs: hlc.wallMs };
      });
  }

  /** Digest L of what is on disk; `undefined` where there is no log. */
  digestOf(document: DocumentId): Uint8Array | undefined {
    const { vector } = this.documents.get(document) ?? {};
    return vector && vector.size > 0 ? logDigest(testHash, vector) : undefined;
  }

  /** As a host reads it that has some documents open. */
  readLibrary(): Exclude<SyncRequests["library"]["answer"], "unreadable"> {
    const library = new LibraryTrie(testHash, bytesOfId(openSpaceId(testHash)));
    const unsure = [...this.documents.keys()].slice(0, 1);
    for (const id of this.documents.keys()) {
      const digest = unsure.includes(id) ? undefined : this.digestOf(id);
      if (digest) library.set(id, digest);
    }
    return { library, unsure };
  }

  /** Whoever follows has to hear of forks too, whenever they were found. */
  changedAfter(arrival: number): SimDocument[] {
    return [...this.documents.values()].filter(({ lastArrival, forks }) => {
      return lastArrival > arrival || forks.length > 0;
    });
  }

  /** In the order of arrival, some `bytesMax` of them. */
  readAbove(ask: SyncRequests["read"]["ask"]): SyncRequests["read"]["answer"] {
    const { document, above, lane, bytesMax } = ask;
    const envelopes: Envelope[] = [];
    let bytes = 0;
    for (const envelope of this.documents.get(document)?.log ?? []) {
      const isWanted = lane === undefined || envelope.lane === lane;
      if (!isWanted || envelope.seq <= (above.get(envelope.lane) ?? 0)) continue;
      envelopes.push(envelope);
      bytes += envelope.bytes.length;
      if (bytes >= bytesMax) break;
    }
    return { envelopes, lanes: this.lanes };
  }

  #apply(batch: SimBatch): void {
    this.#arrivals++;
    if (batch.store) this.#storeId = batch.store;
    if (batch.incarnation) {
      this.incarnations.push({ nonce: batch.incarnation, firstArrival: this.#arrivals });
    }
    for (const lane of batch.lanes ?? []) this.lanes.set(lane.id, lane);
    for (const entry of batch.documents ?? []) {
      if (this.documents.has(entry.id)) continue;
      this.documents.set(entry.id, {
        entry,
        vector: new Map(),
        log: [],
        forks: [],
        floors: new Map(),
        checkpoint: undefined,
        lastArrival: 0,
      });
    }
    for (const envelope of batch.envelopes ?? []) this.#add(envelope);
    if (batch.checkpoint) this.#checkpoint(batch.checkpoint);
    for (const ack of batch.acks ?? []) {
      const key = ack.store + ack.document + ack.lane;
      if (ack.seq === 0) this.acks.delete(key);
      else this.acks.set(key, ack);
    }
    if (batch.cursor) this.cursors.set(batch.cursor.store, batch.cursor.cursor);
    if (batch.fork) this.documents.get(batch.fork.document)?.forks.push(batch.fork.proof);
  }

  #add(envelope: Envelope): void {
    const document = this.documents.get(envelope.document);
    assert(document !== undefined, "a document is known before its first envelope");
    assert(this.lanes.has(envelope.lane), "a lane is known before its first envelope");
    const before = document.vector.get(envelope.lane);
    const { seq, head } = before ?? { seq: 0, head: noEnvelopeId };
    assert(envelope.seq === seq + 1, `I1: the log of a lane goes from ${seq} to ${envelope.seq}`);
    assert(equalBytes(envelope.prev, head), "I1: an envelope follows on what is held");
    document.vector.set(envelope.lane, { seq: envelope.seq, head: envelope.id });
    document.log.push(envelope);
    document.lastArrival = this.#arrivals;
  }

  #checkpoint({ document: id, checkpoint, floors }: StoredSimCheckpoint): void {
    const document = this.documents.get(id);
    assert(document !== undefined, "a document is known before its checkpoint");
    document.checkpoint = checkpoint;
    document.floors = floors;
    for (const [lane, position] of checkpoint.vector) {
      if (position.seq > (document.vector.get(lane)?.seq ?? 0)) document.vector.set(lane, position);
    }
    const kept = document.log.filter(({ lane, seq }) => seq > (floors.get(lane) ?? 0));
    document.log.splice(0, document.log.length, ...kept);
    document.lastArrival = this.#arrivals;
  }
}

/** What the checkpoint of a document does not hold: of the log that is kept it may cover a part. */
export function logAboveCheckpoint({ checkpoint, log }: SimDocument): Envelope[] {
  return log.filter(({ lane, seq }) => seq > (checkpoint?.vector.get(lane)?.seq ?? 0));
}
