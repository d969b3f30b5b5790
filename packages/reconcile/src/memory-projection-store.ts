import {
  assert,
  fromHex,
  HeddleError,
  HeddleErrorCode,
  MoveLedger,
  toHex,
  type Clock,
} from "@heddle/core";

import { LeaseTable } from "./lease-table.ts";
import { movedPartitions } from "./moved-partitions.ts";
import { assertBatch, assertPage, isAsExpected } from "./projection-batch.ts";
import { projectionLimits } from "./projection-limits.ts";
import {
  newProjectionStoreCounters,
  type ApplyConditions,
  type ApplyOutcome,
  type Lease,
  type LeaseProof,
  type ProjectionBatch,
  type ProjectionStore,
  type RecordBytes,
  type RecordRange,
  type StoredAuditEntry,
  type StoredRecord,
} from "./projection-store.ts";
import { decodePath, encodePath, rangeUnder, type RecordPath } from "./record-path.ts";

/** What outlives a {@link MemoryProjectionStore}: open another one on it to model a restart. */
export class MemoryProjectionDisk {
  /** Encoded path in hex → value. */
  readonly records = new Map<string, RecordBytes>();
  readonly audit: RecordBytes[] = [];
  /** Entries that were before those. */
  auditTrimmed = 0;
  /** Lease → last token. */
  readonly tokens = new Map<string, number>();
  isLocked = false;
}

/** A whole `ProjectionStore` in memory, for tests and for the simulator. */
export class MemoryProjectionStore implements ProjectionStore {
  readonly counters = newProjectionStoreCounters();
  readonly moves = new MoveLedger();
  readonly #disk: MemoryProjectionDisk;
  readonly #leases: LeaseTable;
  #isOpen = true;
  #sorted: readonly string[] = [];

  private constructor(disk: MemoryProjectionDisk, clock: Clock) {
    this.#disk = disk;
    this.#leases = new LeaseTable(clock, async (name) => {
      const token = (disk.tokens.get(name) ?? 0) + 1;
      disk.tokens.set(name, token);
      return token;
    });
  }

  /** @throws HeddleError `HEDDLE_STORAGE_LOCKED` while another store has the disk. */
  static async open(disk: MemoryProjectionDisk, clock: Clock): Promise<MemoryProjectionStore> {
    if (disk.isLocked) {
      throw new HeddleError(HeddleErrorCode.storageLocked, "the disk is in use by another store");
    }
    disk.isLocked = true;
    return new MemoryProjectionStore(disk, clock);
  }

  async get(paths: readonly RecordPath[]): Promise<readonly (RecordBytes | undefined)[]> {
    this.#assertOpen();
    assert(paths.length <= projectionLimits.batchEntriesMax, "a reading keeps its cap");
    return paths.map((path) => this.#read(keyOf(path)));
  }

  async readPage({ under, after, limit }: RecordRange): Promise<readonly StoredRecord[]> {
    this.#assertOpen();
    assertPage({ under, after, limit });
    const { gte, lt } = rangeUnder(under);
    const end = toHex(lt);
    const sorted = this.#sortedKeys();
    let at = placeOf(sorted, toHex(gte));
    if (after !== undefined) {
      const from = keyOf(after);
      at = placeOf(sorted, from);
      if (sorted[at] === from) at++;
    }
    const page: StoredRecord[] = [];
    for (let bytes = 0; at < sorted.length && sorted[at]! < end; at++) {
      if (page.length >= limit || bytes >= projectionLimits.pageBytesMax) break;
      const key = sorted[at]!;
      const value = this.#read(key)!;
      bytes += value.length;
      page.push({ path: decodePath(bytesOfKey(key))!, value });
    }
    return page;
  }

  async apply(batch: ProjectionBatch, conditions: ApplyConditions = {}): Promise<ApplyOutcome> {
    this.#assertOpen();
    assertBatch(batch);
    const { expect = [], lease } = conditions;
    if (lease && !this.#leases.isInForce(lease)) {
      this.counters.fenced++;
      return "fenced";
    }
    if (
      !expect.every(({ path, value }) => isAsExpected(this.#disk.records.get(keyOf(path)), value))
    ) {
      this.counters.moved++;
      return "moved";
    }
    const { put = [], remove = [], audit = [], trimAudit = 0 } = batch;
    for (const path of remove) this.#disk.records.delete(keyOf(path));
    for (const { path, value } of put) this.#disk.records.set(keyOf(path), value.slice());
    for (const entry of audit) this.#disk.audit.push(entry.slice());
    this.#trimAudit(trimAudit);
    this.moves.note(() => movedPartitions(batch));
    this.counters.batches++;
    return "applied";
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
    this.#assertOpen();
    const { audit, auditTrimmed } = this.#disk;
    const first = Math.max(after, auditTrimmed);
    const entries = audit.slice(first - auditTrimmed, first - auditTrimmed + limit);
    return entries.map((value, index) => ({ number: first + index + 1, value: copyOf(value) }));
  }

  #trimAudit(upTo: number): void {
    const { audit, auditTrimmed } = this.#disk;
    const most = Math.min(audit.length - 1, projectionLimits.batchEntriesMax);
    const count = Math.max(0, Math.min(upTo - auditTrimmed, most));
    audit.splice(0, count);
    this.#disk.auditTrimmed += count;
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#disk.isLocked = false;
  }

  /** Kept from one reading to the next: a test may have put its hands on the disk in between. */
  #sortedKeys(): readonly string[] {
    const { records } = this.#disk;
    const isStale =
      this.#sorted.length !== records.size || this.#sorted.some((k) => !records.has(k));
    if (isStale) this.#sorted = [...records.keys()].toSorted();
    return this.#sorted;
  }

  #read(key: string): RecordBytes | undefined {
    const value = this.#disk.records.get(key);
    if (value === "damaged") this.counters.damagedReads++;
    return value === undefined ? undefined : copyOf(value);
  }

  #assertOpen(): void {
    if (this.#isOpen) return;
    throw new HeddleError(HeddleErrorCode.storageClosed, "the store of projections is closed");
  }
}

function keyOf(path: RecordPath): string {
  return toHex(encodePath(path));
}

function bytesOfKey(key: string): Uint8Array {
  const bytes = fromHex(key);
  assert(bytes !== undefined, "a key is hex");
  return bytes;
}

function copyOf(value: RecordBytes): RecordBytes {
  return value === "damaged" ? value : value.slice();
}

/** Where a key is, or would be, in a sorted list. */
function placeOf(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
