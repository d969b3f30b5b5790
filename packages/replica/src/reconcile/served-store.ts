import { HeddleError, HeddleErrorCode, isHeddleError } from "@heddle/core";
import {
  newProjectionStoreCounters,
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

/** Messages to another process or thread and back, as structured clones. */
export interface StoreChannel {
  post(message: unknown): void;
  /** The returned function stops it. */
  onMessage(listener: (message: unknown) => void): () => void;
  /** Calls `listener` once nothing more can come, where the channel can tell. */
  onClose?(listener: () => void): () => void;
}

/** What can be asked of a store that is served. */
const servedMethods = [
  "get",
  "readPage",
  "apply",
  "acquireLease",
  "renewLease",
  "releaseLease",
  "readAudit",
] as const;
type ServedMethod = (typeof servedMethods)[number];

/** In each message of ours: a channel may carry other things, and numbers of its own. */
const protocol = "heddle/projections/1";

interface Call {
  readonly of: typeof protocol;
  readonly id: number;
  readonly method: ServedMethod;
  readonly args: readonly unknown[];
}

interface Answer {
  readonly answerOf: typeof protocol;
  readonly id: number;
  readonly value?: unknown;
  /** Instead of a value. */
  readonly error?: { readonly code: string | undefined; readonly message: string };
}

/**
 * Lets the other end of a channel use a store that only this process can have open, LevelDB's being one.
 * Leases, comparisons and the order of batches are the store's own, whoever asks.
 *
 * @returns what ends it; the store stays open.
 */
export function serveProjectionStore(store: ProjectionStore, channel: StoreChannel): () => void {
  const methods = store as unknown as Readonly<
    Record<ServedMethod, (...args: readonly unknown[]) => Promise<unknown>>
  >;
  const answer = async ({ id, method, args }: Call): Promise<void> => {
    let said: Answer;
    try {
      said = { answerOf: protocol, id, value: await methods[method](...args) };
    } catch (error) {
      const code = isHeddleError(error) ? error.code : undefined;
      said = { answerOf: protocol, id, error: { code, message: String(error) } };
    }
    try {
      channel.post(said);
    } catch {
      // Whoever asked is gone; what was written stays written.
    }
  };
  return channel.onMessage((message) => {
    if (isCall(message)) void answer(message);
  });
}

/** Whether it is a question to a store; anything else on the channel is somebody else's. */
function isCall(message: unknown): message is Call {
  const { of, id, method, args } = (message ?? {}) as Partial<Call>;
  if (of !== protocol || typeof id !== "number") return false;
  return servedMethods.includes(method!) && Array.isArray(args);
}

/** Whether it is an answer of ours; with or without a value, as `undefined` is one. */
function isAnswer(message: unknown): message is Answer {
  const { answerOf, id, error } = (message ?? {}) as Partial<Answer>;
  if (answerOf !== protocol || typeof id !== "number") return false;
  return error === undefined || typeof error?.message === "string";
}

/** A store that another process or thread has open, and serves with {@link serveProjectionStore}. */
export class ServedProjectionStore implements ProjectionStore {
  /** Of what was asked through this channel; what the owner's files went through is counted there. */
  readonly counters = newProjectionStoreCounters();
  readonly #channel: StoreChannel;
  readonly #stopListening: readonly (() => void)[];
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #isOpen = true;

  constructor(channel: StoreChannel) {
    this.#channel = channel;
    this.#stopListening = [
      channel.onMessage((message) => this.#answered(message)),
      channel.onClose?.(() => void this.close()) ?? (() => undefined),
    ];
  }

  async get(paths: readonly RecordPath[]): Promise<readonly (RecordBytes | undefined)[]> {
    const values = await this.#ask<readonly (RecordBytes | undefined)[]>("get", paths);
    this.#countDamaged(values);
    return values;
  }

  async readPage(range: RecordRange): Promise<readonly StoredRecord[]> {
    const page = await this.#ask<readonly StoredRecord[]>("readPage", range);
    this.#countDamaged(page.map(({ value }) => value));
    return page;
  }

  async apply(batch: ProjectionBatch, conditions?: ApplyConditions): Promise<ApplyOutcome> {
    const outcome = await this.#ask<ApplyOutcome>("apply", batch, conditions);
    this.counters[outcome === "applied" ? "batches" : outcome]++;
    return outcome;
  }

  acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
    return this.#ask("acquireLease", name, holder, ttlMs);
  }

  renewLease(lease: LeaseProof, ttlMs: number): Promise<boolean> {
    return this.#ask("renewLease", lease, ttlMs);
  }

  releaseLease(lease: LeaseProof): Promise<void> {
    return this.#ask("releaseLease", lease);
  }

  async readAudit(after: number, limit: number): Promise<readonly StoredAuditEntry[]> {
    const entries = await this.#ask<readonly StoredAuditEntry[]>("readAudit", after, limit);
    this.#countDamaged(entries.map(({ value }) => value));
    return entries;
  }

  /**
   * Lets go of the channel; the store stays open at its owner's. What was asked is not answered any more: nobody
   * knows then whether a batch was written.
   */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const stop of this.#stopListening) stop();
    for (const { reject } of this.#waiting.values()) reject(closed());
    this.#waiting.clear();
  }

  #countDamaged(values: readonly (RecordBytes | undefined)[]): void {
    this.counters.damagedReads += values.filter((value) => value === "damaged").length;
  }

  #ask<Value>(method: ServedMethod, ...args: readonly unknown[]): Promise<Value> {
    if (!this.#isOpen) return Promise.reject(closed());
    const id = ++this.#lastId;
    return new Promise<Value>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as Value), reject });
      try {
        this.#channel.post({ of: protocol, id, method, args });
      } catch (cause) {
        this.#waiting.delete(id);
        const message = "the store of projections cannot be reached";
        reject(new HeddleError(HeddleErrorCode.storageIo, message, { cause }));
      }
    });
  }

  #answered(message: unknown): void {
    if (!isAnswer(message)) return;
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (waiting === undefined) return;
    if (message.error !== undefined) waiting.reject(errorOf(message.error));
    else waiting.resolve(message.value);
  }
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

function errorOf({
  code,
  message,
}: {
  readonly code: string | undefined;
  readonly message: string;
}): Error {
  const known = Object.values(HeddleErrorCode).find((one) => one === code);
  return known === undefined ? new Error(message) : new HeddleError(known, message);
}

function closed(): HeddleError {
  return new HeddleError(HeddleErrorCode.storageClosed, "the channel to the store is closed");
}
