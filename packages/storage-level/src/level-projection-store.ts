import {
  assert,
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  MoveLedger,
  type Environment,
  Turns,
} from "@heddle/core";
import {
  assertBatch,
  assertPage,
  isAsExpected,
  LeaseTable,
  movedPartitions,
  newProjectionStoreCounters,
  projectionLimits,
  type ApplyConditions,
  type ApplyOutcome,
  type Lease,
  type LeaseProof,
  type ProjectionBatch,
  type ProjectionStore,
  type RecordBytes,
  type RecordPath,
  type RecordRange,
  type StoredAuditEntry,
  type StoredRecord,
} from "@heddle/reconcile";

import { writeError } from "./level-errors.ts";
import type { LogDatabase, Operation } from "./level-database.ts";
import {
  auditKey,
  auditRange,
  decodeToken,
  encodeToken,
  numberOfAuditKey,
  pathOfKey,
  recordKey,
  recordRange,
  tokenKey,
} from "./projection-keys.ts";
import { openRecord, sealRecord } from "./record-codec.ts";

/** Of the last entry that there can be. */
const lastNumber = Number.MAX_SAFE_INTEGER - 1;

export interface LevelProjectionParts {
  readonly environment: Pick<Environment, "clock" | "logger">;
  /** Opens the database, again after a write has failed. */
  readonly openDatabase: () => Promise<LogDatabase>;
  /** Lets go of the folder. */
  readonly release: () => Promise<void>;
}

/**
 * A `ProjectionStore` on LevelDB. Every batch is one synced write, and one is written after the other;
 * readings do not wait for them. After a write that failed, LevelDB is opened anew before anything
 * else: what it writes behind a torn record would be lost.
 */
export class LevelProjectionStore implements ProjectionStore {
  readonly counters = newProjectionStoreCounters();
  readonly moves = new MoveLedger();
  readonly #parts: LevelProjectionParts;
  readonly #leases: LeaseTable;
  #database: Promise<LogDatabase> | undefined;
  #lastAudit: number | undefined;
  readonly #turns = new Turns();
  #isOpen = true;

  constructor(database: LogDatabase, parts: LevelProjectionParts) {
    this.#database = Promise.resolve(database);
    this.#parts = parts;
    this.#leases = new LeaseTable(parts.environment.clock, (name) => {
      return this.#inTurn((database) => this.#nextToken(database, name));
    });
  }

  async get(paths: readonly RecordPath[]): Promise<readonly (RecordBytes | undefined)[]> {
    assert(paths.length <= projectionLimits.batchEntriesMax, "a reading keeps its cap");
    if (paths.length === 1) return this.#readAll(await this.#opened(), paths);
    // Between two writes, so that all of them are of one moment.
    return this.#inTurn((database) => this.#readAll(database, paths));
  }

  async readPage(range: RecordRange): Promise<readonly StoredRecord[]> {
    assertPage(range);
    const { under, after, limit } = range;
    const { gte, lt } = recordRange(under);
    // The next key there can be: one that begins with this one and goes on with the least byte.
    const from = after === undefined ? gte : withZero(recordKey(after));
    const database = await this.#opened();
    const page: StoredRecord[] = [];
    let bytes = 0;
    const { pageBytesMax: bytesMax } = projectionLimits;
    const chunks = { bytesMax, entriesMax: () => Math.max(1, limit - page.length) };
    for await (const chunk of database.entries({ gte: from, lt }, chunks)) {
      for (const [key, record] of chunk) {
        const path = pathOfKey(key);
        if (path === undefined) this.counters.unreadableKeys++;
        else page.push({ path, value: this.#open(key, record) });
        bytes += record.length;
        if (page.length >= limit || bytes >= bytesMax) return page;
      }
    }
    return page;
  }

  apply(batch: ProjectionBatch, conditions: ApplyConditions = {}): Promise<ApplyOutcome> {
    return this.#inTurn(async (database) => {
      assertBatch(batch);
      const outcome = await this.#judge(database, conditions);
      if (outcome !== "applied") {
        this.counters[outcome]++;
        return outcome;
      }
      const { audit = [], trimAudit = 0 } = batch;
      const isOfJournal = audit.length > 0 || trimAudit > 0;
      const last = isOfJournal ? await this.#findLastAudit(database) : 0;
      const trimmed = await this.#trimmed(database, trimAudit, last + audit.length);
      try {
        await this.#write(database, [...operationsOf(batch, last), ...trimmed]);
      } finally {
        this.moves.note(() => movedPartitions(batch));
      }
      this.#lastAudit = last + audit.length || this.#lastAudit;
      this.counters.batches++;
      return outcome;
    });
  }

  async acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    this.#assertOpen();
    return this.#leases.acquire(name, holder, ttlMs);
  }

  async renewLease(lease: LeaseProof, ttlMs: number): Promise<boolean> {
    this.#assertOpen();
    return this.#leases.renew(lease, ttlMs);
  }

  async releaseLease(lease: LeaseProof): Promise<void> {
    this.#assertOpen();
    this.#leases.release(lease);
  }

  async readAudit(after: number, limit: number): Promise<readonly StoredAuditEntry[]> {
    const database = await this.#opened();
    const countMax = Math.min(limit, projectionLimits.pageEntriesMax);
    const { pageBytesMax: bytesMax } = projectionLimits;
    const entries: StoredAuditEntry[] = [];
    const chunks = { bytesMax, entriesMax: () => Math.max(1, countMax - entries.length) };
    // To the end of the journal: the first ones behind `after` may have been trimmed.
    const range = auditRange(after, lastNumber);
    for await (const chunk of database.entries(range, chunks)) {
      for (const [key, record] of chunk) {
        if (entries.length >= countMax) return entries;
        entries.push({ number: numberOfAuditKey(key), value: this.#open(key, record) });
      }
    }
    return entries;
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#turns.settled();
    try {
      await (await this.#database)?.close();
    } finally {
      await this.#parts.release();
    }
  }

  /** Whether a batch may be written. */
  async #judge(
    database: LogDatabase,
    { expect = [], lease }: ApplyConditions,
  ): Promise<ApplyOutcome> {
    if (lease && !this.#leases.isInForce(lease)) return "fenced";
    const found = await this.#readAll(
      database,
      expect.map(({ path }) => path),
    );
    const isSame = expect.every(({ value }, index) => isAsExpected(found[index], value));
    // Reading took its time, too.
    if (lease && !this.#leases.isInForce(lease)) return "fenced";
    return isSame ? "applied" : "moved";
  }

  #readAll(
    database: LogDatabase,
    paths: readonly RecordPath[],
  ): Promise<readonly (RecordBytes | undefined)[]> {
    return Promise.all(
      paths.map(async (path) => {
        const key = recordKey(path);
        const record = await database.get(key);
        return record && this.#open(key, record);
      }),
    );
  }

  #open(key: Uint8Array, record: Uint8Array): RecordBytes {
    try {
      return openRecord(key, record).slice();
    } catch (error) {
      if (!isHeddleError(error, HeddleErrorCode.storageCorrupt)) throw error;
      this.counters.damagedReads++;
      return "damaged";
    }
  }

  async #findLastAudit(database: LogDatabase): Promise<number> {
    if (this.#lastAudit !== undefined) return this.#lastAudit;
    const key = await database.lastKey(auditRange(0, lastNumber));
    return key ? numberOfAuditKey(key) : 0;
  }

  /** What takes entries away, the newest never. */
  async #trimmed(database: LogDatabase, upTo: number, newest: number): Promise<Operation[]> {
    const last = Math.min(upTo, newest - 1);
    if (last < 1) return [];
    const one = { bytesMax: 1, entriesMax: () => 1 };
    let first: number | undefined;
    for await (const [entry] of database.entries(auditRange(0, last), one)) {
      first = entry && numberOfAuditKey(entry[0]);
      break;
    }
    if (first === undefined) return [];
    const count = Math.min(last - first + 1, projectionLimits.batchEntriesMax);
    return Array.from({ length: count }, (_, index) => ({
      type: "del",
      key: auditKey(first + index),
    }));
  }

  /**
   * Above the one before, and above the wall clock: should the end of the database be lost with it, or
   * its record be damaged, a token from before is below all the same.
   */
  async #nextToken(database: LogDatabase, lease: string): Promise<number> {
    const key = tokenKey(lease);
    const record = await database.get(key);
    const before = record && this.#open(key, record);
    const last = before instanceof Uint8Array ? (decodeToken(before) ?? 0) : 0;
    const token = Math.max(last + 1, Math.floor(this.#parts.environment.clock.nowMs()));
    await this.#write(database, [{ type: "put", key, value: sealRecord(key, encodeToken(token)) }]);
    return token;
  }

  async #write(database: LogDatabase, operations: readonly Operation[]): Promise<void> {
    try {
      await database.write(operations);
    } catch (cause) {
      const error = writeError(cause);
      this.#parts.environment.logger.error("projections.write_failed", { code: error.code });
      this.#reopen(database);
      throw error;
    }
  }

  /** Whoever comes next waits for it; while it fails, each of them tries again. */
  #reopen(failed: LogDatabase): void {
    this.counters.reopenings++;
    this.#lastAudit = undefined;
    this.moves.begin();
    this.#keep(
      failed.close().then(
        () => this.#parts.openDatabase(),
        () => this.#parts.openDatabase(),
      ),
    );
  }

  #keep(opening: Promise<LogDatabase>): Promise<LogDatabase> {
    this.#database = opening;
    opening.catch((cause: unknown) => {
      this.#database = undefined;
      this.#parts.environment.logger.error("projections.reopen_failed", { error: String(cause) });
    });
    return opening;
  }

  /** Nothing else is written meanwhile. */
  #inTurn<Value>(work: (database: LogDatabase) => Promise<Value>): Promise<Value> {
    return this.#turns.run(async () => work(await this.#opened()));
  }

  async #opened(): Promise<LogDatabase> {
    this.#assertOpen();
    return this.#database ?? this.#keep(this.#parts.openDatabase());
  }

  #assertOpen(): void {
    if (this.#isOpen) return;
    throw new HeddleError(HeddleErrorCode.storageClosed, "the store of projections is closed");
  }
}

function operationsOf(
  { put = [], remove = [], audit = [] }: ProjectionBatch,
  last: number,
): Operation[] {
  return [
    ...remove.map((path): Operation => ({ type: "del", key: recordKey(path) })),
    ...put.map(({ path, value }) => putSealed(recordKey(path), value)),
    ...audit.map((value, index) => putSealed(auditKey(last + index + 1), value)),
  ];
}

function putSealed(key: Uint8Array, value: Uint8Array): Operation {
  return { type: "put", key, value: sealRecord(key, value) };
}

function withZero(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}
