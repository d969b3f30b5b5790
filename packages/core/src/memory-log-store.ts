import { arrivalRunsOf, isNumbered } from "./arrival-runs.ts";
import { assert } from "./assert.ts";
import type { Attribution } from "./attribution.ts";
import type { Random } from "./environment.ts";
import { HeddleError, HeddleErrorCode } from "./errors.ts";
import type { Envelope } from "./envelope.ts";
import { compareHlc, type Hlc } from "./hybrid-clock.ts";
import { newStoreId, type DocumentId, type LaneId, type StoreId } from "./ids.ts";
import type { LaneDescriptor } from "./lane.ts";
import type {
  Arrival,
  ArrivalRun,
  CheckpointAdoption,
  DocumentEntry,
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
import type { Incarnation, RepairRequest } from "./store-history.ts";
import { MemoryCheckpoints } from "./memory-checkpoints.ts";
import { MemoryPeers } from "./memory-peers.ts";
import type { KeptFork, PeerAck, PeerCursor, RefusedEnvelope } from "./peer-records.ts";
import type { VersionVector } from "./version-vector.ts";

/** What outlives a {@link MemoryLogStore}: open another one on it to model a restart. */
export class MemoryDisk {
  storeId: StoreId | undefined;
  lastHlc: Hlc = { wallMs: 0, counter: 0 };
  isLocked = false;
  readonly documents = new Map<DocumentId, DocumentOnDisk>();
  /** In the order in which they were first heard of. */
  readonly lanes = new Map<LaneId, LaneDescriptor | undefined>();
  readonly arrivals: Arrival[] = [];
  readonly incarnations: Incarnation[] = [];
  readonly peers = new MemoryPeers();
  /** Number of the last commit group. */
  lastArrival = 0;
}

interface DocumentOnDisk {
  entry: DocumentEntry;
  vector: VersionVector;
  dirty: boolean;
  readonly log: Map<LaneId, Uint8Array[]>;
  /** Where the envelopes of the log lie, in the order in which they arrived. */
  arrived: { readonly lane: LaneId; readonly seq: number }[];
  readonly parked: Map<string, ParkedUpdate>;
  readonly quarantine: Map<string, QuarantinedUpdate>;
  readonly recalls: Map<string, RecalledEnvelope>;
  readonly checkpoints: MemoryCheckpoints;
}

/** Envelopes that a read hands out at once. */
const chunkEnvelopes = 256;

/** A whole `LogStore` in memory, for tests and for replicas that need no disk. */
export class MemoryLogStore implements LogStore {
  readonly storeId: StoreId;
  readonly opening: StoreOpening;
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
    assert(
      Object.values(batch).some((part) => part.length > 0),
      "a batch has a part",
    );
    this.#disk.peers.assertSound(batch);
    for (const adoption of batch.adopt ?? []) this.#assertAdoptable(batch, adoption);
    for (const lane of batch.lanes ?? []) {
      this.#disk.lanes.set(lane.id, { ...lane, bytes: copyOf(lane.bytes) });
    }
    for (const entry of batch.documents ?? []) this.#putDocument(entry);
    for (const envelope of batch.envelopes ?? []) this.#putEnvelope(envelope);
    for (const { document, vector } of batch.vectors ?? []) {
      const onDisk = this.#document(document);
      onDisk.vector = copyOfVector(vector);
      onDisk.dirty = false;
    }
    for (const { document, id } of batch.release ?? []) this.#document(document).parked.delete(id);
    for (const { document, update } of batch.park ?? []) {
      const { parked } = this.#document(document);
      if (!parked.has(update.id)) parked.set(update.id, copyOfParked(update));
    }
    for (const { document, update } of batch.quarantine ?? []) {
      this.#document(document).quarantine.set(update.id, copyOfQuarantined(update));
    }
    for (const { document, envelope } of batch.recall ?? []) {
      this.#document(document).recalls.set(envelope.id, { ...envelope });
    }
    for (const checkpoint of batch.checkpoints ?? []) {
      this.#document(checkpoint.document).checkpoints.add(checkpoint);
    }
    for (const prune of batch.prune ?? []) {
      const onDisk = this.#document(prune.document);
      const { checkpoints, log } = onDisk;
      checkpoints.prune(prune, (lane, count) => log.get(lane)?.splice(0, count));
      onDisk.arrived = onDisk.arrived.filter(({ lane, seq }) => seq > checkpoints.floorOf(lane));
    }
    for (const adoption of batch.adopt ?? []) this.#adopt(adoption);
    this.#disk.peers.write(batch);
    if (isNumbered(batch)) {
      const number = ++this.#disk.lastArrival;
      const adopted = (batch.adopt ?? []).flatMap(adoptedEnds);
      const runs = arrivalRunsOf([...(batch.envelopes ?? []), ...adopted]);
      this.#disk.arrivals.push({ number, runs });
    }
    if (batch.prune || batch.adopt) this.#dropArrivals();
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
      const floor = this.#floorOf(document, lane);
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
    { above, lane: only }: LogRange = {},
  ): AsyncIterable<readonly StoredEnvelope[]> {
    this.#assertOpen();
    const onDisk = this.#disk.documents.get(document);
    let chunk: StoredEnvelope[] = [];
    // The log may grow, or lose its beginning, while it is read.
    const arrived = onDisk?.arrived.slice() ?? [];
    for (const { lane, seq } of arrived) {
      if (seq <= (above?.get(lane) ?? 0) || (only ?? lane) !== lane) continue;
      const bytes = onDisk!.log.get(lane)?.[seq - this.#floorOf(document, lane) - 1];
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
    return [...recalls].toSorted(byTime);
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

  async *readRefused(document?: DocumentId): AsyncIterable<readonly RefusedEnvelope[]> {
    this.#assertOpen();
    const refused = this.#disk.peers.refusedOf(document);
    if (refused.length > 0) yield refused;
  }

  async readIncarnations(): Promise<readonly Incarnation[]> {
    this.#assertOpen();
    return [...this.#disk.incarnations];
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

  #putDocument(entry: DocumentEntry): void {
    const onDisk = this.#disk.documents.get(entry.id);
    if (onDisk) onDisk.entry = entry;
    else {
      this.#disk.documents.set(entry.id, {
        entry,
        vector: new Map(),
        dirty: false,
        log: new Map(),
        arrived: [],
        parked: new Map(),
        quarantine: new Map(),
        recalls: new Map(),
        checkpoints: new MemoryCheckpoints(),
      });
    }
  }

  #assertAdoptable({ documents }: LogBatch, adoption: CheckpointAdoption): void {
    const onDisk = this.#disk.documents.get(adoption.document);
    const isNew = documents?.some(({ id }) => id === adoption.document) ?? false;
    assert(onDisk !== undefined || isNew, "a document is known before a checkpoint is adopted");
    (onDisk?.checkpoints ?? new MemoryCheckpoints()).assertAdoptable(adoption);
  }

  #adopt(adoption: CheckpointAdoption): void {
    const onDisk = this.#document(adoption.document);
    const { checkpoints, log } = onDisk;
    for (const lane of adoption.floors.keys()) {
      if (!this.#disk.lanes.has(lane)) this.#disk.lanes.set(lane, undefined);
    }
    checkpoints.adopt(adoption, (lane, count) => log.get(lane)?.splice(0, count));
    onDisk.arrived = onDisk.arrived.filter(({ lane, seq }) => seq > checkpoints.floorOf(lane));
    if (adoption.floors.size > 0) onDisk.dirty = true;
  }

  #putEnvelope(envelope: Envelope): void {
    const isKnown = this.#disk.lanes.get(envelope.lane) !== undefined;
    assert(isKnown, "a lane is known before its first envelope");
    const onDisk = this.#document(envelope.document);
    const log = onDisk.log.get(envelope.lane) ?? [];
    const floor = onDisk.checkpoints.floorOf(envelope.lane);
    const isNext = envelope.seq === floor + log.length + 1;
    assert(isNext, "a lane has no gaps and no second writer (I1, I2)");
    log.push(copyOf(envelope.bytes));
    onDisk.log.set(envelope.lane, log);
    onDisk.arrived.push({ lane: envelope.lane, seq: envelope.seq });
    onDisk.dirty = true;
    if (compareHlc(envelope.hlc, this.#disk.lastHlc) > 0) this.#disk.lastHlc = envelope.hlc;
  }

  /** Groups at the beginning of the feed of which nothing is left; the last one stays. */
  #dropArrivals(): void {
    const { arrivals } = this.#disk;
    const isGone = ({ document, lane, toSeq }: ArrivalRun): boolean => {
      return this.#floorOf(document, lane) >= toSeq;
    };
    while (arrivals.length > 1 && arrivals[0]!.runs.every(isGone)) arrivals.shift();
  }

  #floorOf(document: DocumentId, lane: LaneId): number {
    return this.#disk.documents.get(document)?.checkpoints.floorOf(lane) ?? 0;
  }

  #document(id: DocumentId): DocumentOnDisk {
    const onDisk = this.#disk.documents.get(id);
    assert(onDisk !== undefined, "a document is known before its first envelope");
    return onDisk;
  }

  #assertOpen(): void {
    if (this.#state.name === "closed") {
      throw new HeddleError(HeddleErrorCode.storageClosed, "the store is closed");
    }
  }
}

function adoptedEnds({ document, floors }: CheckpointAdoption) {
  return [...floors].map(([lane, seq]) => ({ document, lane, seq }));
}

/** Not `slice()`: of a Buffer that would be the same memory. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function copyOfVector(vector: VersionVector): VersionVector {
  const copies = [...vector].map(([lane, { seq, head }]) => {
    return [lane, { seq, head: copyOf(head) }] as const;
  });
  return new Map(copies);
}

function copyOfParked(parked: ParkedUpdate): ParkedUpdate {
  const { id, parkedAtMs, update, principal } = parked;
  const copy = { id, parkedAtMs, update: copyOf(update) };
  return principal ? { ...copy, principal: copyOf(principal) } : copy;
}

function copyOfQuarantined(quarantined: QuarantinedUpdate): QuarantinedUpdate {
  const { id, reason, validatorVersion, atMs, size, release } = quarantined;
  const { update, principal, sourceTag } = quarantined;
  return {
    id,
    reason,
    validatorVersion,
    atMs,
    size,
    ...(update && { update: copyOf(update) }),
    ...(principal && { principal: copyOf(principal) }),
    ...(sourceTag && { sourceTag: copyOf(sourceTag) }),
    ...(release && { release: { ...release } }),
  };
}

type IdentifiedNote = RefusalNote & { readonly id: string };

function byTime(a: IdentifiedNote, b: IdentifiedNote): number {
  return a.atMs - b.atMs || (a.id < b.id ? -1 : 1);
}
