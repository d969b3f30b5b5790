import { arrivalRunsOf, isNumbered } from "./arrival-runs.ts";
import { assert } from "./assert.ts";
import type { Random } from "./environment.ts";
import { HeddleError, HeddleErrorCode } from "./errors.ts";
import type { Envelope } from "./envelope.ts";
import { compareHlc, type Hlc } from "./hybrid-clock.ts";
import { newStoreId, type DocumentId, type LaneId, type StoreId } from "./ids.ts";
import type { LaneDescriptor } from "./lane.ts";
import type {
  Arrival,
  DocumentEntry,
  LogBatch,
  LogStore,
  LogStoreState,
  ParkedUpdate,
  QuarantinedUpdate,
  RecalledEnvelope,
  RefusalNote,
  StoredDocument,
  StoredEnvelope,
  StoreOpening,
} from "./log-store.ts";
import type { Incarnation, RepairRequest } from "./store-history.ts";
import type { VersionVector } from "./version-vector.ts";

/** What outlives a {@link MemoryLogStore}: open another one on it to model a restart. */
export class MemoryDisk {
  storeId: StoreId | undefined;
  lastHlc: Hlc = { wallMs: 0, counter: 0 };
  isLocked = false;
  readonly documents = new Map<DocumentId, DocumentOnDisk>();
  readonly lanes = new Map<LaneId, LaneDescriptor>();
  readonly arrivals: Arrival[] = [];
  readonly incarnations: Incarnation[] = [];
}

interface DocumentOnDisk {
  entry: DocumentEntry;
  vector: VersionVector;
  dirty: boolean;
  readonly log: Map<LaneId, Uint8Array[]>;
  readonly parked: Map<string, ParkedUpdate>;
  readonly quarantine: Map<string, QuarantinedUpdate>;
  readonly recalls: Map<string, RecalledEnvelope>;
}

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
      lastArrival: disk.arrivals.length,
      lastHlc: disk.lastHlc,
      arrivalsVerified: 0,
      incarnation: random.bytes(16),
    };
    const { incarnation: nonce } = this.opening;
    disk.incarnations.push({ nonce, firstArrival: disk.arrivals.length + 1, openedAtMs: 0 });
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
    if (isNumbered(batch)) {
      const number = this.#disk.arrivals.length + 1;
      this.#disk.arrivals.push({ number, runs: arrivalRunsOf(batch.envelopes ?? []) });
    }
    return this.#disk.arrivals.length;
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
      const skipped = above?.get(lane)?.seq ?? 0;
      const envelopes = log?.get(lane)?.slice(skipped) ?? [];
      if (envelopes.length > 0) {
        yield envelopes.map((bytes, index) => {
          return { lane, seq: skipped + index + 1, bytes: copyOf(bytes) };
        });
      }
    }
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

  async *readLanes(): AsyncIterable<LaneDescriptor> {
    this.#assertOpen();
    yield* this.#disk.lanes.values();
  }

  async *readArrivals(after: number): AsyncIterable<readonly Arrival[]> {
    this.#assertOpen();
    const arrivals = this.#disk.arrivals.slice(after);
    if (arrivals.length > 0) yield arrivals;
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
        parked: new Map(),
        quarantine: new Map(),
        recalls: new Map(),
      });
    }
  }

  #putEnvelope(envelope: Envelope): void {
    assert(this.#disk.lanes.has(envelope.lane), "a lane is known before its first envelope");
    const onDisk = this.#document(envelope.document);
    const log = onDisk.log.get(envelope.lane) ?? [];
    assert(envelope.seq === log.length + 1, "a lane has no gaps and no second writer (I1, I2)");
    log.push(copyOf(envelope.bytes));
    onDisk.log.set(envelope.lane, log);
    onDisk.dirty = true;
    if (compareHlc(envelope.hlc, this.#disk.lastHlc) > 0) this.#disk.lastHlc = envelope.hlc;
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
  const { id, reason, validatorVersion, atMs, update, principal } = quarantined;
  const copy = { id, reason, validatorVersion, atMs, update: copyOf(update) };
  return principal ? { ...copy, principal: copyOf(principal) } : copy;
}

type IdentifiedNote = RefusalNote & { readonly id: string };

function byTime(a: IdentifiedNote, b: IdentifiedNote): number {
  return a.atMs - b.atMs || (a.id < b.id ? -1 : 1);
}
