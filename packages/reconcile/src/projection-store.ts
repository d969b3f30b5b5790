import type { MoveLedger } from "@heddle/core";

import type { RecordPath } from "./record-path.ts";

/**
 * The port to where projections are kept: ordered records, batches that hold a comparison, leases with
 * fencing tokens, and a journal. What the records mean is `projection-layout.ts`, and no adapter's business.
 *
 * An adapter runs the contract suite of `@heddle/testkit`. Everything in it is derived data: it can be
 * thrown away and made anew from the log, but for the journal and the tokens.
 */
export interface ProjectionStore {
  /**
   * The records at `paths`, in their order; `undefined` where there is none. Together they are what one
   * moment held. At most `batchEntriesMax`.
   *
   * @throws HeddleError `HEDDLE_STORAGE_IO`, `HEDDLE_STORAGE_CLOSED`.
   */
  get(paths: readonly RecordPath[]): Promise<readonly (RecordBytes | undefined)[]>;

  /**
   * Records under a path in the order of their paths, from behind `after` on: at most `limit`, fewer when
   * they are large, none when there are no more. Each page is what one moment held, two pages need not
   * be; whoever corrects from what was read says so in `expect`.
   */
  readPage(range: RecordRange): Promise<readonly StoredRecord[]>;

  /**
   * Writes all of `batch` or none of it, and answers once that is on disk. Batches are written one after
   * the other, and conditions are looked at in the same turn: nothing comes in between.
   *
   * @returns `moved` when something in `expect` is not as it says, `fenced` when the lease is not in force
   * (over, taken by another holder, or from before the store was opened). Nothing was written then.
   * @throws HeddleError `HEDDLE_STORAGE_FULL`, `HEDDLE_STORAGE_IO`, `HEDDLE_STORAGE_CLOSED`: nobody knows
   * whether it is on disk; read again before building on it.
   */
  apply(batch: ProjectionBatch, conditions?: ApplyConditions): Promise<ApplyOutcome>;

  /**
   * Takes the lease of that name for `ttlMs` by the store's monotonic clock; `undefined` while somebody
   * else holds it. The same holder, asking again, gets a new token: the old one is refused from then on.
   * Tokens ascend for as long as there is the store, over restarts too.
   */
  acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined>;

  /** Holds it for `ttlMs` from now. False when it is not in force any more; it stays lost then. */
  renewLease(lease: LeaseProof, ttlMs: number): Promise<boolean>;

  /** Ends it, if it is in force. */
  releaseLease(lease: LeaseProof): Promise<void>;

  /** Entries of the journal with numbers above `after`, ascending; at most `limit`. */
  readAudit(after: number, limit: number): Promise<readonly StoredAuditEntry[]>;

  /** What could not be read, or was not kept: counted since the store was opened. */
  readonly counters: ProjectionStoreCounters;

  /** What `movedPartitions` says of each batch; missing where a store does not tell, one that is served being one. */
  readonly moves?: MoveLedger | undefined;

  /** Waits for what is being written, then lets go. Safe to call twice. */
  close(): Promise<void>;
}

/** A record whose bytes are not what was written is `damaged`: it can be overwritten and removed. */
export type RecordBytes = Uint8Array | "damaged";

export interface StoredRecord {
  readonly path: RecordPath;
  readonly value: RecordBytes;
}

export interface RecordRange {
  /** At least one part. */
  readonly under: RecordPath;
  /** Exclusive; any path under the first, whether or not there is a record. */
  readonly after?: RecordPath | undefined;
  /** From 1 to `pageEntriesMax`. */
  readonly limit: number;
}

/** A path may be put or removed once in a batch. */
export interface ProjectionBatch {
  readonly put?: readonly { readonly path: RecordPath; readonly value: Uint8Array }[];
  readonly remove?: readonly RecordPath[];
  /** Entries of the journal, each at most `auditEntryBytesMax`, in their order. */
  readonly audit?: readonly Uint8Array[];
  /**
   * Entries of the journal up to this number go, at most `batchEntriesMax` of them; never the newest there is, so that
   * numbers go on. How many ever went is one less than the first number.
   */
  readonly trimAudit?: number | undefined;
}

export interface ApplyConditions {
  /** What was read: the bytes that lie there, `damaged`, or nothing. */
  readonly expect?: readonly Expectation[];
  readonly lease?: LeaseProof | undefined;
}

export interface Expectation {
  readonly path: RecordPath;
  readonly value: RecordBytes | undefined;
}

export type ApplyOutcome = "applied" | "moved" | "fenced";

export interface LeaseProof {
  readonly name: string;
  readonly token: number;
}

export interface Lease extends LeaseProof {
  readonly holder: string;
  readonly ttlMs: number;
}

export interface StoredAuditEntry {
  /** Ascending by one, from 1; the first ones may have been trimmed. */
  readonly number: number;
  readonly value: RecordBytes;
}

export interface ProjectionStoreCounters {
  /** Batches that were written. */
  batches: number;
  moved: number;
  fenced: number;
  /** Readings of a record whose bytes are damaged. */
  damagedReads: number;
  /** Keys met in readings that are no path: nobody finds what lies there. */
  unreadableKeys: number;
  /** Writes that failed, after which the store was opened anew. */
  reopenings: number;
}

export function newProjectionStoreCounters(): ProjectionStoreCounters {
  return {
    batches: 0,
    moved: 0,
    fenced: 0,
    damagedReads: 0,
    unreadableKeys: 0,
    reopenings: 0,
  };
}
