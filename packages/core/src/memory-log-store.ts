import type { Attribution } from "./attribution.ts";
import { documentsOfBatch } from "./documents-of-batch.ts";
import type { Random } from "./environment.ts";
import { HeddleError, HeddleErrorCode } from "./errors.ts";
import { newStoreId, type DocumentId, type LaneId, type StoreId } from "./ids.ts";
import type { LaneDescriptor } from "./lane.ts";
import type { AuditRecord, DocumentSurvey } from "./log-repair.ts";
import type {
  Arrival,
  LogBatch,
  LogStore,
  LogRange,
  LogStoreState,
  ParkedUpdate,
  QuarantinedUpdate,
  RecalledEnvelope,
  RefusalNote,
  StoredCheckpoint,
  StoredDocument,
  StoredEnvelope,
  StoreOpening,
} from "./log-store.ts";
import {
  copyOf,
  copyOfParked,
  copyOfQuarantined,
  copyOfRecalled,
  copyOfVector,
} from "./memory-copies.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import { writeMemoryBatch } from "./memory-log-writer.ts";
import { MoveLedger } from "./move-ledger.ts";
import type { KeptFork, PeerAck, PeerCursor, RefusedEnvelope } from "./peer-records.ts";
import type { Incarnation, RepairRequest } from "./store-history.ts";
import type { VersionVector } from "./version-vector.ts";

/** Envelopes that a read hands out at once. */
const chunkEnvelopes = 256;

/** A whole `LogStore` in memory, for tests and for replicas that need no disk. */
export class MemoryLogStore implements LogStore {
  readonly storeId: StoreId;
  readonly opening: StoreOpening;
  readonly moves = new MoveLedger();
  readonly #disk: MemoryDisk;
  readonly #listeners = new Set<(state: LogStoreState) => void>();
  #state: LogStoreState = { name: "open" };

  private constructor(disk: MemoryDisk, random: Random) {
    const created = disk.storeId === undefined;
    disk.storeId ??= newStoreId(random);
    this.storeId = disk.storeId;
    this.#disk = disk;
    this.opening = {
      created,
      lastArrival: disk.lastArrival,
      lastHlc: disk.lastHlc,
      arrivalsVerified: 0,
      incarnation: random.bytes(16),
    };
    const { incarnation: nonce } = this.opening;
    disk.incarnations.push({ nonce, firstArrival: disk.lastArrival + 1, openedAtMs: 0 });
  }

  /** @throws HeddleError `HEDDLE_STORAGE_LOCKED` while another store has the disk (STO-5). */
  static async open(disk: MemoryDisk, random: Random): Promise<MemoryLogStore> {
    if (disk.isLocked) {
      throw new HeddleError(HeddleErrorCode.storageLocked, "the disk is in use by another store");
    }
    disk.isLocked = true;
    return new MemoryLogStore(disk, random);
  }

  get state(): LogStoreState {
    return this.#state;
  }

  async append(batch: LogBatch): Promise<number> {
    this.#assertOpen();
    writeMemoryBatch(this.#disk, batch);
    this.moves.note(() => documentsOfBatch(batch));
    return this.#disk.lastArrival;
  }

  async readDocument(document: DocumentId): Promise<StoredDocument | undefined> {
    this.#assertOpen();
    const onDisk = this.#disk.documents.get(document);
    if (!onDisk) return undefined;
    return { ...onDisk.entry, vector: copyOfVector(onDisk.vector), dirty: onDisk.dirty };
  }

  async readDirtyDocuments(): Promise<readonly DocumentId[]> {
    this.#assertOpen();
    const dirty = [...this.#disk.documents].filter(([, document]) => document.dirty);
    return dirty.map(([id]) => id).toSorted();
  }

  async readDocumentIds(): Promise<readonly DocumentId[]> {
    this.#assertOpen();
    return [...this.#disk.documents.keys()].toSorted();
  }

  async countDocuments(): Promise<number> {
    this.#assertOpen();
    return this.#disk.documents.size;
  }

  async *readDocuments(): AsyncIterable<StoredDocument> {
    this.#assertOpen();
    for (const id of [...this.#disk.documents.keys()].toSorted()) {
      const document = await this.readDocument(id);
      if (document) yield document;
    }
  }

  async *readLog(
    document: DocumentId,
    above?: VersionVector,
  ): AsyncIterable<readonly StoredEnvelope[]> {
    this.#assertOpen();
    const log = this.#disk.documents.get(document)?.log;
    for (const lane of this.#disk.lanes.keys()) {
      const floor = this.#disk.floorOf(document, lane);
      const skipped = Math.max(floor, above?.get(lane)?.seq ?? 0);
      const envelopes = log?.get(lane)?.slice(skipped - floor) ?? [];
      if (envelopes.length > 0) {
        yield envelopes.map((bytes, index) => {
          return { lane, seq: skipped + index + 1, bytes: copyOf(bytes) };
        });
      }
    }
  }

  async *readLogByArrival(
    document: DocumentId,
    { above, upTo, lane: only }: LogRange = {},
  ): AsyncIterable<readonly StoredEnvelope[]> {
    this.#assertOpen();
    const onDisk = this.#disk.documents.get(document);
    let chunk: StoredEnvelope[] = [];
    // The log may grow, or lose its beginning, while it is read.
    const arrived = onDisk?.arrived.slice() ?? [];
    for (const { lane, seq } of arrived) {
      if (seq <= (above?.get(lane) ?? 0) || (only ?? lane) !== lane) continue;
      if (upTo && seq > (upTo.get(lane) ?? 0)) continue;
      const bytes = onDisk!.log.get(lane)?.[seq - this.#disk.floorOf(document, lane) - 1];
      if (bytes) chunk.push({ lane, seq, bytes: copyOf(bytes) });
      if (chunk.length < chunkEnvelopes) continue;
      yield chunk;
      this.#assertOpen();
      chunk = [];
    }
    if (chunk.length > 0) yield chunk;
  }

  async readParked(document: DocumentId): Promise<readonly ParkedUpdate[]> {
    this.#assertOpen();
    const parked = this.#disk.documents.get(document)?.parked.values() ?? [];
    return [...parked].map(copyOfParked);
  }

  async readQuarantine(document: DocumentId): Promise<readonly QuarantinedUpdate[]> {
    this.#assertOpen();
    const quarantine = this.#disk.documents.get(document)?.quarantine.values() ?? [];
    return [...quarantine].map(copyOfQuarantined).toSorted(byTime);
  }

  async readRecalls(document: DocumentId): Promise<readonly RecalledEnvelope[]> {
    this.#assertOpen();
    const recalls = this.#disk.documents.get(document)?.recalls.values() ?? [];
    return [...recalls].map(copyOfRecalled).toSorted(byTime);
  }

  async readCheckpoints(document: DocumentId): Promise<readonly StoredCheckpoint[]> {
    this.#assertOpen();
    return this.#disk.documents.get(document)?.checkpoints.all ?? [];
  }

  async readCheckpointState(document: DocumentId, number: number): Promise<Uint8Array> {
    this.#assertOpen();
    const state = this.#disk.documents.get(document)?.checkpoints.stateOf(number);
    if (state) return state;
    const message = `checkpoint ${number} of document ${document} is missing`;
    throw new HeddleError(HeddleErrorCode.storageCorrupt, message);
  }

  async readFloors(document: DocumentId): Promise<ReadonlyMap<LaneId, number>> {
    this.#assertOpen();
    return new Map(this.#disk.documents.get(document)?.checkpoints.floors);
  }

  async readAttributions(document: DocumentId): Promise<readonly Attribution[]> {
    this.#assertOpen();
    const all = this.#disk.documents.get(document)?.checkpoints.attributions ?? [];
    const lanes = [...this.#disk.lanes.keys()];
    return all.toSorted(
      (a, b) => lanes.indexOf(a.lane) - lanes.indexOf(b.lane) || a.fromSeq - b.fromSeq,
    );
  }

  async readLane(lane: LaneId): Promise<LaneDescriptor | undefined> {
    this.#assertOpen();
    const descriptor = this.#disk.lanes.get(lane);
    return descriptor && { ...descriptor, bytes: copyOf(descriptor.bytes) };
  }

  async *readLanes(): AsyncIterable<LaneDescriptor> {
    this.#assertOpen();
    for (const descriptor of this.#disk.lanes.values()) if (descriptor) yield descriptor;
  }

  async *readArrivals(after: number): AsyncIterable<readonly Arrival[]> {
    this.#assertOpen();
    const arrivals = this.#disk.arrivals.filter(({ number }) => number > after);
    if (arrivals.length > 0) yield arrivals;
  }

  async readLastArrival(): Promise<number> {
    this.#assertOpen();
    return this.#disk.lastArrival;
  }

  async readCursors(): Promise<readonly PeerCursor[]> {
    this.#assertOpen();
    return this.#disk.peers.cursors;
  }

  async *readAcks(store: StoreId): AsyncIterable<readonly PeerAck[]> {
    this.#assertOpen();
    const lanes = [...this.#disk.lanes.keys()];
    const acks = this.#disk.peers.acksOf(store, (lane) => lanes.indexOf(lane));
    if (acks.length > 0) yield acks;
  }

  async readForks(document: DocumentId): Promise<readonly KeptFork[]> {
    this.#assertOpen();
    return this.#disk.peers.forksOf(document);
  }

  async *readForkedDocuments(): AsyncIterable<readonly DocumentId[]> {
    this.#assertOpen();
    const forked = this.#disk.peers.forkedDocuments;
    if (forked.length > 0) yield forked;
  }

  async *readRefused(document?: DocumentId): AsyncIterable<readonly RefusedEnvelope[]> {
    this.#assertOpen();
    const refused = this.#disk.peers.refusedOf(document);
    if (refused.length > 0) yield refused;
  }

  async readIncarnations(): Promise<readonly Incarnation[]> {
    this.#assertOpen();
    return [...this.#disk.incarnations];
  }

  /** Memory that lies is not modelled: all that is there is whole. */
  async surveyDocument(document: DocumentId): Promise<DocumentSurvey | undefined> {
    this.#assertOpen();
    const onDisk = this.#disk.documents.get(document);
    if (!onDisk) return undefined;
    const { entry, log, checkpoints } = onDisk;
    const named = new Set([...log.keys(), ...checkpoints.floors.keys()]);
    const lanes = [...this.#disk.lanes.keys()].filter((lane) => named.has(lane));
    return {
      document,
      entry: { ...entry },
      lanes: lanes.map((lane) => {
        const floor = checkpoints.floorOf(lane);
        const envelopes = log.get(lane) ?? [];
        const last = envelopes.at(-1);
        const lastSeq = floor + envelopes.length;
        return { lane, floor, lastSeq, holes: [], damaged: 0, last: last && copyOf(last) };
      }),
      checkpoints: checkpoints.all.map(({ number }) => ({ number, isWhole: true })),
      isVectorLost: false,
      others: [],
    };
  }

  async *readAudit(after = 0): AsyncIterable<readonly AuditRecord[]> {
    this.#assertOpen();
    const entries = this.#disk.audit.filter(({ number }) => number > after);
    if (entries.length > 0)
      yield entries.map(({ number, bytes }) => ({ number, bytes: copyOf(bytes) }));
  }

  /** Memory that lies is not modelled: there is nothing to ask for. */
  async readRepairRequests(): Promise<readonly RepairRequest[]> {
    this.#assertOpen();
    return [];
  }

  onStateChange(listener: (state: LogStoreState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#state.name === "closed") return;
    this.#state = { name: "closed" };
    this.#disk.isLocked = false;
    for (const listener of this.#listeners) listener(this.#state);
  }

  #assertOpen(): void {
    if (this.#state.name === "closed") {
      throw new HeddleError(HeddleErrorCode.storageClosed, "the store is closed");
    }
  }
}

type IdentifiedNote = RefusalNote & { readonly id: string };

function byTime(a: IdentifiedNote, b: IdentifiedNote): number {
  return a.atMs - b.atMs || (a.id < b.id ? -1 : 1);
}
