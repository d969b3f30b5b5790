import {
  equalBytes,
  HeddleError,
  toHex,
  HeddleErrorCode,
  isHeddleError,
  type Arrival,
  type Attribution,
  type DocumentId,
  type Environment,
  type Incarnation,
  type KeptFork,
  type LaneDescriptor,
  type LaneId,
  type LogBatch,
  type LogRange,
  type LogStore,
  type LogStoreState,
  type ParkedUpdate,
  type PeerAck,
  type PeerCursor,
  type QuarantinedUpdate,
  type RecalledEnvelope,
  type RefusedEnvelope,
  type RepairRequest,
  type StoredCheckpoint,
  type StoredDocument,
  type StoredEnvelope,
  type StoreId,
  type StoreOpening,
  type VersionVector,
} from "@heddle/core";

import { buildGroup } from "./build-group.ts";
import { Fence } from "./fence.ts";
import type { Finding } from "./finding.ts";
import { GroupCommit } from "./group-commit.ts";
import {
  putDevice,
  putJournalEntry,
  readDevice,
  readIncarnations,
  readJournal,
  readRepairRequests,
  type JournalEntry,
  type NumberedJournalEntry,
} from "./history-records.ts";
import { writeError } from "./level-errors.ts";
import {
  readArrivals,
  readDocument,
  readDocuments,
  readLaneOf,
  readLanes,
  readParked,
  readQuarantine,
  readRecalls,
} from "./log-reader.ts";
import {
  notesOfDamages,
  notesOfNewDamages,
  type DamageChange,
  type DamageNotes,
} from "./note-damages.ts";
import type { OpenLog } from "./open-log.ts";
import { prepareAppend, prepareNotes, type PreparedAppend } from "./prepare-append.ts";
import { assertAdoptable, assertPrunable, feedGroupsMax } from "./prune-operations.ts";
import {
  readAttributions,
  readCheckpoints,
  readCheckpointState,
  readFloors,
} from "./read-checkpoints.ts";
import { readAcks, readAllRefused, readCursors, readForks } from "./read-peers.ts";
import { readLogByArrival } from "./read-log-by-arrival.ts";
import { readLogChunks } from "./read-log-chunks.ts";
import { documentKeys, documentOfKey } from "./record-keys.ts";
import { putMark, type LogMark } from "./records.ts";
import type { SpaceGuard } from "./space-guard.ts";
import type { WitnessKeeper } from "./witness-keeper.ts";

/** What {@link openLevelStore} hands over. */
export interface LevelStoreParts {
  readonly storeId: StoreId;
  readonly opening: StoreOpening;
  readonly environment: Environment;
  readonly log: OpenLog;
  /** Found in the files before they were opened. */
  readonly damages: readonly Finding[];
  readonly witness: WitnessKeeper;
  /** Of the last entry in the journal. */
  readonly journalNumber: number;
  readonly space: SpaceGuard | undefined;
  /** Opens and verifies the log anew; `known` is the last group that was acknowledged. */
  readonly reopen: (known: LogMark) => Promise<OpenLog>;
  /** Lets go of the data folder. */
  readonly release: () => Promise<void>;
  readonly groupBytesMax: number | undefined;
  readonly feedGroupsMax: number | undefined;
}

/**
 * A `LogStore` on LevelDB.
 *
 * - Every write is one synced batch behind one queue (STO-1, STO-2); every read checks its record (STO-3).
 * - The first failed write ends the use of this LevelDB instance, which would go on to acknowledge
 *   records that it loses: the store is fenced until a new one is open and verified (STO-4).
 *
 * record-keys.ts says what is stored where.
 */
export class LevelLogStore implements LogStore {
  readonly storeId: StoreId;
  readonly opening: StoreOpening;
  /** What was damaged in the files before they were opened. */
  readonly damagesAtOpening: readonly Finding[];
  readonly #environment: Environment;
  readonly #release: () => Promise<void>;
  readonly #feedGroupsMax: number;
  readonly #commits: GroupCommit<PreparedAppend>;
  readonly #fence: Fence;
  readonly #witness: WitnessKeeper;
  readonly #space: SpaceGuard | undefined;
  #journalNumber: number;
  readonly #listeners = new Set<(state: LogStoreState) => void>();
  readonly #damageListeners = new Set<(finding: Finding) => void>();
  #log: OpenLog;
  #state: LogStoreState = { name: "open" };
  /** True from a failed write until the log was opened anew; `state` may say `closed` meanwhile. */
  #hasFailed = false;
  #closing: Promise<void> | undefined;

  constructor(parts: LevelStoreParts) {
    this.storeId = parts.storeId;
    this.opening = parts.opening;
    this.damagesAtOpening = parts.damages;
    this.#environment = parts.environment;
    this.#release = parts.release;
    this.#feedGroupsMax = parts.feedGroupsMax ?? feedGroupsMax;
    this.#log = parts.log;
    this.#witness = parts.witness;
    this.#journalNumber = parts.journalNumber;
    this.#space = parts.space;
    this.#state = this.#openState();
    this.#commits = new GroupCommit((group) => this.#commit(group), parts.groupBytesMax);
    this.#fence = new Fence(parts.environment, {
      reopen: async () => {
        await this.#closeDatabase();
        await this.#giveWay();
        return parts.reopen(this.#log.tail);
      },
      resumed: (log) => {
        this.#log = log;
        this.#hasFailed = false;
        this.#setState(this.#openState());
      },
      failed: (error) => this.#setState({ name: "fenced", error }),
    });
  }

  get state(): LogStoreState {
    return this.#state;
  }

  async append(batch: LogBatch): Promise<number> {
    for (const prune of batch.prune ?? []) await this.#once((log) => assertPrunable(log, prune));
    for (const adopt of batch.adopt ?? []) await this.#once((log) => assertAdoptable(log, adopt));
    return this.#commits.add(prepareAppend(batch, this.#openLog()));
  }

  async readDocument(document: DocumentId): Promise<StoredDocument | undefined> {
    return this.#once((log) => readDocument(log, document), document);
  }

  async readDirtyDocuments(): Promise<readonly DocumentId[]> {
    return [...this.#openLog().dirty].toSorted();
  }

  async countDocuments(): Promise<number> {
    return this.#once(async ({ database }) => {
      let count = 0;
      for await (const chunk of database.entries(documentKeys)) count += chunk.length;
      return count;
    });
  }

  /** Ids of all documents, those among them whose record is damaged. */
  async readDocumentIds(): Promise<readonly DocumentId[]> {
    return this.#once(async ({ database }) => {
      const ids: DocumentId[] = [];
      for await (const chunk of database.entries(documentKeys)) {
        for (const [key] of chunk) ids.push(documentOfKey(key));
      }
      return ids;
    });
  }

  readDocuments(): AsyncIterable<StoredDocument> {
    return this.#each((log) => readDocuments(log));
  }

  readLog(document: DocumentId, above?: VersionVector): AsyncIterable<readonly StoredEnvelope[]> {
    return this.#each((log) => readLogChunks(log, document, above), document);
  }

  readLogByArrival(
    document: DocumentId,
    range?: LogRange,
  ): AsyncIterable<readonly StoredEnvelope[]> {
    return this.#each((log) => readLogByArrival(log, document, range), document);
  }

  async readParked(document: DocumentId): Promise<readonly ParkedUpdate[]> {
    return this.#once((log) => readParked(log, document), document);
  }

  async readQuarantine(document: DocumentId): Promise<readonly QuarantinedUpdate[]> {
    return this.#once((log) => readQuarantine(log, document), document);
  }

  async readRecalls(document: DocumentId): Promise<readonly RecalledEnvelope[]> {
    return this.#once((log) => readRecalls(log, document), document);
  }

  async readCheckpoints(document: DocumentId): Promise<readonly StoredCheckpoint[]> {
    return this.#once((log) => readCheckpoints(log, document), document);
  }

  async readCheckpointState(document: DocumentId, number: number): Promise<Uint8Array> {
    return this.#once((log) => readCheckpointState(log, document, number), document);
  }

  async readFloors(document: DocumentId): Promise<ReadonlyMap<LaneId, number>> {
    return this.#once((log) => readFloors(log, document), document);
  }

  async readAttributions(document: DocumentId): Promise<readonly Attribution[]> {
    return this.#once((log) => readAttributions(log, document), document);
  }

  async readLane(lane: LaneId): Promise<LaneDescriptor | undefined> {
    return this.#once((log) => readLaneOf(log, lane));
  }

  readLanes(): AsyncIterable<LaneDescriptor> {
    return this.#each((log) => readLanes(log));
  }

  readArrivals(after: number): AsyncIterable<readonly Arrival[]> {
    return this.#each((log) => readArrivals(log, after));
  }

  async readLastArrival(): Promise<number> {
    return this.#openLog().tail.number;
  }

  async readCursors(): Promise<readonly PeerCursor[]> {
    return this.#once((log) => readCursors(log));
  }

  readAcks(store: StoreId): AsyncIterable<readonly PeerAck[]> {
    return this.#each((log) => readAcks(log, store));
  }

  async readForks(document: DocumentId): Promise<readonly KeptFork[]> {
    return this.#once((log) => readForks(log, document), document);
  }

  readRefused(document?: DocumentId): AsyncIterable<readonly RefusedEnvelope[]> {
    return this.#each((log) => readAllRefused(log, document), document);
  }

  async readIncarnations(): Promise<readonly Incarnation[]> {
    return this.#once(({ database }) => readIncarnations(database));
  }

  async readRepairRequests(): Promise<readonly RepairRequest[]> {
    return this.#once(({ database }) => readRepairRequests(database));
  }

  /** What happened to the store itself, oldest first. */
  async readJournal(): Promise<readonly NumberedJournalEntry[]> {
    return this.#once(({ database }) => readJournal(database));
  }

  /** Adds to the journal; resolves when it is on disk. */
  async note(entry: JournalEntry): Promise<void> {
    this.#openLog();
    const number = ++this.#journalNumber;
    await this.#commits.add(prepareNotes([putJournalEntry({ ...entry, number })]));
  }

  /** Asks for what is damaged and was not known to be, and no longer for what is whole again. */
  async noteDamages(findings: readonly Finding[]): Promise<DamageChange> {
    const known = await this.readRepairRequests();
    const { hash, clock } = this.#environment;
    const notes = notesOfDamages(hash, findings, known, clock.nowMs());
    await this.#note(notes);
    return notes;
  }

  /** Asks for what a read met, unless it is on record; resolves when that is on disk. */
  async noteNewDamages(findings: readonly Finding[]): Promise<void> {
    const known = await this.readRepairRequests();
    const { hash, clock } = this.#environment;
    await this.#note(notesOfNewDamages(hash, findings, known, clock.nowMs()));
  }

  /**
   * Compares the key that this device signs with now with the one on record, and records it.
   *
   * @returns whether another one was there: the replica is somebody else than before to its peers.
   */
  async noteDevice(publicKey: Uint8Array): Promise<boolean> {
    const known = await this.#once(({ database }) => readDevice(database));
    if (known && equalBytes(known, publicKey)) return false;
    const operations = [putDevice(publicKey)];
    if (known) {
      const [before, now] = [toHex(known), toHex(publicKey)];
      this.#environment.logger.error("store.device_changed", { before, now });
      const detail = `the device key was ${before}, and is ${now}`;
      const atMs = this.#environment.clock.nowMs();
      const number = ++this.#journalNumber;
      operations.push(putJournalEntry({ event: "device-changed", atMs, detail, number }));
    }
    await this.#commits.add(prepareNotes(operations));
    return known !== undefined;
  }

  /** Calls `listener` for each read that meets damage; the returned function stops that. */
  onDamage(listener: (finding: Finding) => void): () => void {
    this.#damageListeners.add(listener);
    return () => this.#damageListeners.delete(listener);
  }

  /**
   * Says that somebody serves this store, and so can be asked what its opening found. Until then every
   * opening says it again: a look inside, or a start that failed, tells nobody.
   */
  openingTold(): Promise<void> {
    return this.#witness.told();
  }

  /** Called when the guard of the disk's space has changed its mind. */
  spaceChanged(): void {
    if (this.#state.name === "open") this.#setState(this.#openState());
  }

  /** Times that the witness could not be written. */
  get witnessFailures(): number {
    return this.#witness.failures;
  }

  onStateChange(listener: (state: LogStoreState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #note({ journal, operations }: DamageNotes): Promise<void> {
    const entries = journal.map((entry) => {
      return putJournalEntry({ ...entry, number: ++this.#journalNumber });
    });
    const all = [...operations, ...entries];
    if (all.length > 0) await this.#commits.add(prepareNotes(all));
  }

  async #close(): Promise<void> {
    this.#setState({ name: "closed" });
    await this.#space?.close();
    try {
      await this.#commits.whenIdle();
      await this.#fence.end();
      if (!this.#hasFailed) await this.#keepMark();
      await this.#witness.close();
    } finally {
      await this.#closeDatabase();
      await this.#release();
    }
  }

  async #commit(group: readonly PreparedAppend[]): Promise<number> {
    const log = this.#log;
    try {
      const tools = { logger: this.#environment.logger, feedGroupsMax: this.#feedGroupsMax };
      const built = await buildGroup(log, group, tools);
      for (const document of built.dirtied) log.dirty.add(document);
      await log.database.write(built.operations);
      for (const document of built.cleaned) log.dirty.delete(document);
      if (built.tail !== log.tail) this.#witness.note(built.tail);
      for (const { arrived, prunes } of group) {
        log.spans.added(arrived);
        for (const { document } of prunes) log.spans.changed(document);
      }
      log.tail = built.tail;
      this.#fence.succeeded();
      return built.tail.number;
    } catch (cause) {
      throw this.#refuse(writeError(cause));
    }
  }

  /** After a failed write nobody knows what is on disk: nothing more goes through this instance. */
  #refuse(error: HeddleError): HeddleError {
    this.#environment.logger.error("store.fenced", { code: error.code, error: error.message });
    this.#hasFailed = true;
    if (this.#state.name === "open") {
      this.#setState({ name: "fenced", error });
      void this.#closeDatabase();
      this.#fence.begin();
    }
    return error;
  }

  /** Saves the next open the work of verifying what this one has written. */
  async #keepMark(): Promise<void> {
    const { database, tail, mark } = this.#log;
    if (tail.number === mark.number) return;
    try {
      await database.write([putMark(tail)]);
    } catch (error) {
      this.#environment.logger.warn("store.mark_unwritten", { error: String(error) });
    }
  }

  async #closeDatabase(): Promise<void> {
    try {
      await this.#log.database.close();
    } catch (error) {
      this.#environment.logger.warn("store.close_failed", { error: String(error) });
    }
  }

  #openLog(): OpenLog {
    if (this.#state.name === "open") return this.#log;
    throw this.#stateError();
  }

  async #once<Value>(
    read: (log: OpenLog) => Promise<Value>,
    document?: DocumentId,
  ): Promise<Value> {
    const log = this.#openLog();
    try {
      return await read(log);
    } catch (error) {
      throw this.#readError(log, error, document);
    }
  }

  async *#each<Value>(
    read: (log: OpenLog) => AsyncIterable<Value>,
    document?: DocumentId,
  ): AsyncGenerator<Value> {
    const log = this.#openLog();
    try {
      for await (const value of read(log)) {
        yield value;
        if (log !== this.#log || this.#state.name !== "open") throw this.#stateError();
      }
    } catch (error) {
      throw this.#readError(log, error, document);
    }
  }

  /** A read that failed because the database was closed under it fails for the reason of the closing. */
  #readError(log: OpenLog, error: unknown, document: DocumentId | undefined): unknown {
    if (log !== this.#log || this.#state.name !== "open") return this.#stateError(error);
    if (isHeddleError(error, HeddleErrorCode.storageCorrupt)) {
      const part = document === undefined ? "record" : "document";
      const where = document !== undefined && { document };
      const finding = { severity: "damage", part, what: error.message, ...where } as const;
      for (const listener of this.#damageListeners) listener(finding);
    }
    return error;
  }

  #stateError(cause?: unknown): HeddleError {
    const { storageClosed, storageIo } = HeddleErrorCode;
    const state = this.#state;
    if (state.name === "closed") return new HeddleError(storageClosed, "the store is closed");
    if (state.name === "open") {
      return new HeddleError(storageIo, "the store was opened anew during a read", { cause });
    }
    return new HeddleError(state.error.code, "the store is fenced", { cause: state.error });
  }

  /** A disk that is full takes nothing, not even what reopening a store writes. */
  async #giveWay(): Promise<void> {
    const state = this.#state;
    const isFull = state.name === "fenced" && state.error.code === HeddleErrorCode.storageFull;
    if (isFull) await this.#space?.giveWay();
  }

  #openState(): LogStoreState {
    if (!this.#space?.isLow) return { name: "open" };
    const message = `less than ${this.#space.lowBytes} bytes are free on the disk of the store`;
    const readOnly = new HeddleError(HeddleErrorCode.storageFull, message);
    return { name: "open", readOnly };
  }

  #setState(state: LogStoreState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }
}
