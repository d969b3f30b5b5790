import {
  documentsOfBatch,
  HeddleErrorCode,
  MoveLedger,
  type Environment,
  type HeddleError,
  type LogBatch,
  type LogStore,
  type LogStoreState,
  type StoreId,
  type StoreOpening,
} from "@heddle/core";

import { buildGroup } from "./build-group.ts";
import { Fence } from "./fence.ts";
import type { Finding } from "./finding.ts";
import { GroupCommit } from "./group-commit.ts";
import { GuardedReads } from "./guarded-reads.ts";
import type { JournalEntry, NumberedJournalEntry } from "./history-records.ts";
import { writeError } from "./level-errors.ts";
import type { Operation } from "./level-database.ts";
import { LevelLogReads } from "./level-log-reads.ts";
import { LogInUse } from "./log-in-use.ts";
import type { DamageChange } from "./note-damages.ts";
import type { OpenLog } from "./open-log.ts";
import { mendOperations } from "./mend-operations.ts";
import { prepareAppend, type PreparedAppend } from "./prepare-append.ts";
import { assertAdoptable, assertPrunable, feedGroupsMax } from "./prune-operations.ts";
import { putMark, type LogMark } from "./records.ts";
import type { SpaceGuard } from "./space-guard.ts";
import { StoreNotes } from "./store-notes.ts";
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
export class LevelLogStore extends LevelLogReads implements LogStore {
  readonly storeId: StoreId;
  readonly opening: StoreOpening;
  readonly moves = new MoveLedger();
  /** What was damaged in the files before they were opened. */
  readonly damagesAtOpening: readonly Finding[];
  readonly #environment: Environment;
  readonly #release: () => Promise<void>;
  readonly #feedGroupsMax: number;
  readonly #inUse: LogInUse;
  readonly #reads: GuardedReads;
  readonly #commits: GroupCommit<PreparedAppend>;
  readonly #notes: StoreNotes;
  readonly #fence: Fence;
  readonly #witness: WitnessKeeper;
  readonly #space: SpaceGuard | undefined;
  /** True from a failed write until the log was opened anew; `state` may say `closed` meanwhile. */
  #hasFailed = false;
  #closing: Promise<void> | undefined;

  constructor(parts: LevelStoreParts) {
    const inUse = new LogInUse(parts.log, parts.space);
    const reads = new GuardedReads(inUse);
    super(inUse, reads);
    this.storeId = parts.storeId;
    this.opening = parts.opening;
    this.damagesAtOpening = parts.damages;
    this.#environment = parts.environment;
    this.#release = parts.release;
    this.#feedGroupsMax = parts.feedGroupsMax ?? feedGroupsMax;
    this.#inUse = inUse;
    this.#reads = reads;
    this.#witness = parts.witness;
    this.#space = parts.space;
    this.#commits = new GroupCommit((group) => this.#commit(group), parts.groupBytesMax);
    this.#notes = new StoreNotes(parts.environment, reads, this.#commits, parts.journalNumber);
    this.#fence = new Fence(parts.environment, {
      reopen: async () => {
        await this.#closeDatabase();
        await this.#giveWay();
        return parts.reopen(inUse.current.tail);
      },
      resumed: (log) => {
        this.#hasFailed = false;
        inUse.replace(log);
        this.moves.begin();
      },
      failed: (error) => inUse.set({ name: "fenced", error }),
    });
  }

  get state(): LogStoreState {
    return this.#inUse.state;
  }

  async append(batch: LogBatch): Promise<number> {
    for (const prune of batch.prune ?? [])
      await this.#reads.once((log) => assertPrunable(log, prune));
    for (const adopt of batch.adopt ?? [])
      await this.#reads.once((log) => assertAdoptable(log, adopt));
    const mended: Operation[] = [];
    for (const mend of batch.mend ?? []) {
      mended.push(...(await this.#reads.once((log) => mendOperations(log, mend))));
    }
    try {
      return await this.#commits.add(prepareAppend(batch, this.#inUse.open, mended));
    } finally {
      this.moves.note(() => documentsOfBatch(batch));
    }
  }

  /** What happened to the store itself, oldest first. */
  readJournal(): Promise<readonly NumberedJournalEntry[]> {
    return this.#notes.journal();
  }

  /** Adds to the journal; resolves when it is on disk. */
  async note(entry: JournalEntry): Promise<void> {
    this.#inUse.assertOpen();
    await this.#notes.add(entry);
  }

  /** Asks for what is damaged and was not known to be, and no longer for what is whole again. */
  noteDamages(findings: readonly Finding[]): Promise<DamageChange> {
    return this.#notes.damages(findings);
  }

  /** Asks for what a read met, unless it is on record; resolves when that is on disk. */
  noteNewDamages(findings: readonly Finding[]): Promise<void> {
    return this.#notes.newDamages(findings);
  }

  /**
   * Compares the key that this device signs with now with the one on record, and records it.
   *
   * @returns whether another one was there: the replica is somebody else than before to its peers.
   */
  noteDevice(publicKey: Uint8Array): Promise<boolean> {
    return this.#notes.device(publicKey);
  }

  /** Calls `listener` for each read that meets damage; the returned function stops that. */
  onDamage(listener: (finding: Finding) => void): () => void {
    return this.#reads.onDamage(listener);
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
    this.#inUse.spaceChanged();
  }

  /** Times that the witness could not be written. */
  get witnessFailures(): number {
    return this.#witness.failures;
  }

  onStateChange(listener: (state: LogStoreState) => void): () => void {
    return this.#inUse.onStateChange(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#inUse.set({ name: "closed" });
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
    const log = this.#inUse.current;
    try {
      const tools = { logger: this.#environment.logger, feedGroupsMax: this.#feedGroupsMax };
      const built = await buildGroup(log, group, tools);
      for (const document of built.created) log.creating.add(document);
      for (const document of built.dirtied) log.dirty.add(document);
      await log.database.write(built.operations);
      for (const document of built.created) log.creating.delete(document);
      for (const document of built.cleaned) log.dirty.delete(document);
      if (built.tail !== log.tail) this.#witness.note(built.tail);
      for (const { arrived, prunes, mends } of group) {
        log.spans.added(arrived);
        for (const { document } of [...prunes, ...mends]) log.spans.changed(document);
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
    if (this.#inUse.state.name === "open") {
      this.#inUse.set({ name: "fenced", error });
      void this.#closeDatabase();
      this.#fence.begin();
    }
    return error;
  }

  /** Saves the next open the work of verifying what this one has written. */
  async #keepMark(): Promise<void> {
    const { database, tail, mark } = this.#inUse.current;
    if (tail.number === mark.number) return;
    try {
      await database.write([putMark(tail)]);
    } catch (error) {
      this.#environment.logger.warn("store.mark_unwritten", { error: String(error) });
    }
  }

  async #closeDatabase(): Promise<void> {
    try {
      await this.#inUse.current.database.close();
    } catch (error) {
      this.#environment.logger.warn("store.close_failed", { error: String(error) });
    }
  }

  /** A disk that is full takes nothing, not even what reopening a store writes. */
  async #giveWay(): Promise<void> {
    const { state } = this.#inUse;
    const isFull = state.name === "fenced" && state.error.code === HeddleErrorCode.storageFull;
    if (isFull) await this.#space?.giveWay();
  }
}
