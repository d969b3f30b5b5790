import {
  HeddleError,
  HeddleErrorCode,
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
  putJournalEntry,
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
import { notesOfDamages, type DamageChange } from "./note-damages.ts";
import type { OpenLog } from "./open-log.ts";
import { prepareAppend, prepareNotes, type PreparedAppend } from "./prepare-append.ts";
import { assertPrunable, feedGroupsMax } from "./prune-operations.ts";
import {
  readAttributions,
  readCheckpoints,
  readCheckpointState,
  readFloors,
} from "./read-checkpoints.ts";
import { readAcks, readAllRefused, readCursors, readForks } from "./read-peers.ts";
import { readLogByArrival } from "./read-log-by-arrival.ts";
import { readLogChunks } from "./read-log-chunks.ts";
import { documentKeys } from "./record-keys.ts";
import { putMark, type LogMark } from "./records.ts";
import type { SpaceGuard } from "./space-guard.ts";
import type { WitnessKeeper } from "./witness-keeper.ts";

/** What {@link openLevelStore} hands over. */
export interface LevelStoreParts {
  readonly storeId: StoreId;
  readonly opening: StoreOpening;
  readonly environment: Environment;
  readonly log: OpenLog;
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
  readonly #environment: Environment;
  readonly #release: () => Promise<void>;
  readonly #feedGroupsMax: number;
  readonly #commits: GroupCommit<PreparedAppend>;
  readonly #fence: Fence;
  readonly #witness: WitnessKeeper;
  readonly #space: SpaceGuard | undefined;
  #journalNumber: number;
  readonly #listeners = new Set<(state: LogStoreState) => void>();
  #log: OpenLog;
  #state: LogStoreState = { name: "open" };
  /** True from a failed write until the log was opened anew; `state` may say `closed` meanwhile. */
  #hasFailed = false;
  #closing: Promise<void> | undefined;

  constructor(parts: LevelStoreParts) {
    this.storeId = parts.storeId;
    this.opening = parts.opening;
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
    return this.#commits.add(prepareAppend(batch, this.#openLog()));
  }

  async readDocument(document: DocumentId): Promise<StoredDocument | undefined> {
    return this.#once((log) => readDocument(log, document));
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

  readDocuments(): AsyncIterable<StoredDocument> {
    return this.#each((log) => readDocuments(log));
  }

  readLog(document: DocumentId, above?: VersionVector): AsyncIterable<readonly StoredEnvelope[]> {
    return this.#each((log) => readLogChunks(log, document, above));
  }

  readLogByArrival(
    document: DocumentId,
    range?: LogRange,
  ): AsyncIterable<readonly StoredEnvelope[]> {
    return this.#each((log) => readLogByArrival(log, document, range));
  }

  async readParked(document: DocumentId): Promise<readonly ParkedUpdate[]> {
    return this.#once((log) => readParked(log, document));
  }

  async readQuarantine(document: DocumentId): Promise<readonly QuarantinedUpdate[]> {
    return this.#once((log) => readQuarantine(log, document));
  }

  async readRecalls(document: DocumentId): Promise<readonly RecalledEnvelope[]> {
    return this.#once((log) => readRecalls(log, document));
  }

  async readCheckpoints(document: DocumentId): Promise<readonly StoredCheckpoint[]> {
    return this.#once((log) => readCheckpoints(log, document));
  }

  async readCheckpointState(document: DocumentId, number: number): Promise<Uint8Array> {
    return this.#once((log) => readCheckpointState(log, document, number));
  }

  async readFloors(document: DocumentId): Promise<ReadonlyMap<LaneId, number>> {
    return this.#once((log) => readFloors(log, document));
  }

  async readAttributions(document: DocumentId): Promise<readonly Attribution[]> {
    return this.#once((log) => readAttributions(log, document));
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
    return this.#once((log) => readForks(log, document));
  }

  readRefused(document?: DocumentId): AsyncIterable<readonly RefusedEnvelope[]> {
    return this.#each((log) => readAllRefused(log, document));
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
    const entries = notes.journal.map((entry) => {
      return putJournalEntry({ ...entry, number: ++this.#journalNumber });
    });
    const operations = [...notes.operations, ...entries];
    if (operations.length > 0) await this.#commits.add(prepareNotes(operations));
    return notes;
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

  async #once<Value>(read: (log: OpenLog) => Promise<Value>): Promise<Value> {
    const log = this.#openLog();
    try {
      return await read(log);
    } catch (error) {
      throw this.#readError(log, error);
    }
  }

  async *#each<Value>(read: (log: OpenLog) => AsyncIterable<Value>): AsyncGenerator<Value> {
    const log = this.#openLog();
    try {
      for await (const value of read(log)) {
        yield value;
        if (log !== this.#log || this.#state.name !== "open") throw this.#stateError();
      }
    } catch (error) {
      throw this.#readError(log, error);
    }
  }

  /** A read that failed because the database was closed under it fails for the reason of the closing. */
  #readError(log: OpenLog, error: unknown): unknown {
    return log === this.#log && this.#state.name === "open" ? error : this.#stateError(error);
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
