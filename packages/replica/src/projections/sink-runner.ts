import { toHex, type Environment, type LaneId } from "@heddle/core";
import {
  deadChangesPath,
  decodeCursor,
  decodeDeadChange,
  decodeSent,
  encodeCursor,
  encodeDeadChange,
  encodeSent,
  isNamed,
  RecordDraft,
  readRecords,
  sinkFeedPath,
  sinkSentPath,
  type DeadChange,
  type Delivery,
  type FeedCursor,
  type FeedDescription,
  type ListedDocument,
  type ProjectionSource,
  type ProjectionStore,
  type Sink,
  type SourceChange,
  type SourceDocument,
} from "@heddle/reconcile";
import { mayAttempt, nextRetryState, type RetryLimits, type RetryState } from "@heddle/sync";

/** What a sink is run with. */
export interface SinkParts {
  readonly sink: Sink;
  readonly store: ProjectionStore;
  readonly source: ProjectionSource;
  readonly environment: Environment;
  /** Back-off and breaker. */
  readonly retry?: RetryLimits;
}

/** What one turn came to. */
export type SinkTurn =
  | { readonly name: "idle" | "busy" }
  /** The outside did not take a change; before this moment of the monotonic clock nothing is tried. */
  | { readonly name: "waiting"; readonly dueMs: number };

/** What a sink did, since it was opened. */
export interface SinkCounters {
  delivered: number;
  /** Attempts that failed and are made again. */
  failed: number;
  /** Changes that are kept as dead. */
  dead: number;
  /** Documents whose changes cannot be read, or not any more. */
  undetermined: number;
}

/** Changes that are handed over before where that stands is written: a crash repeats so many at most. */
const unwrittenMax = 32;
const pageMax = 256;
const accept = ["pending", "quarantine", "degraded"] as const;

class Interrupted extends Error {}

/**
 * Hands every change of the documents that a sink accepts to the outside, in the order of their log, document by
 * document; at least once, each with the id of its envelope as the idempotency key. What the outside does not take is
 * tried again with back-off and behind a breaker; what it will never take is kept as dead and can be looked at.
 */
export class SinkRunner {
  readonly counters: SinkCounters = { delivered: 0, failed: 0, dead: 0, undetermined: 0 };
  readonly #parts: SinkParts;
  #retry: RetryState = { name: "idle" };
  #trying: { readonly id: string; attempts: number } | undefined;

  constructor(parts: SinkParts) {
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.sink.name;
  }

  /** Whether the outside takes changes, as far as is known. */
  get state(): RetryState["name"] {
    return this.#retry.name;
  }

  /**
   * One bounded piece of work.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`; the next turn begins with what was written.
   */
  async turn(): Promise<SinkTurn> {
    const { environment, store, source, sink } = this.#parts;
    const nowMs = environment.clock.monotonicMs();
    if ("dueMs" in this.#retry && !mayAttempt(this.#retry, nowMs)) {
      return { name: "waiting", dueMs: this.#retry.dueMs };
    }
    const [stored] = await store.get([sinkFeedPath(sink.name)]);
    const feed = await source.describeFeed();
    const cursor = stored instanceof Uint8Array ? decodeCursor(stored) : undefined;
    try {
      if (!cursor || !this.#isGood(cursor, feed))
        return await this.#moveTo(feed, feed.lastArrival, "");
      return await (cursor.comparedUpTo === undefined
        ? this.#follow(cursor, feed)
        : this.#compare(cursor, feed));
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      return this.#waiting();
    }
  }

  /** Changes that were given up, oldest id first. */
  async *readDead(): AsyncIterable<DeadChange> {
    const { store, sink } = this.#parts;
    for await (const { path, value } of readRecords(store, deadChangesPath(sink.name))) {
      if (value instanceof Uint8Array) yield decodeDeadChange(path.at(-1)!, value);
    }
  }

  /** Takes a dead change off the list: somebody has seen to it. */
  async forgetDead(id: string): Promise<void> {
    const { store, sink } = this.#parts;
    await store.apply({ remove: [[...deadChangesPath(sink.name), id]] });
  }

  #isGood(cursor: FeedCursor, { incarnations, lastArrival }: FeedDescription): boolean {
    if (cursor.store !== this.#parts.source.storeId) return false;
    return incarnations.includes(cursor.incarnation) && cursor.arrival <= lastArrival;
  }

  /** All documents: what was handed over of each is known, so that nothing goes out twice for that. */
  async #compare(cursor: FeedCursor, feed: FeedDescription): Promise<SinkTurn> {
    const after = cursor.comparedUpTo === "" ? undefined : cursor.comparedUpTo;
    const { source } = this.#parts;
    const documents = await source.readDocuments(
      after as SourceDocument["id"] | undefined,
      pageMax,
    );
    if (documents.length === 0) return this.#moveTo(feed, cursor.arrival);
    for (const document of documents) await this.#send(document);
    return this.#moveTo(feed, cursor.arrival, documents.at(-1)!.id);
  }

  async #follow(cursor: FeedCursor, feed: FeedDescription): Promise<SinkTurn> {
    const { groups } = await this.#parts.source.readFeed(cursor.arrival, pageMax);
    const isGap = (groups[0]?.number ?? feed.lastArrival + 1) > cursor.arrival + 1;
    if (isGap) return this.#moveTo(feed, feed.lastArrival, "");
    if (groups.length === 0) return { name: "idle" };
    const documents = new Map(
      groups.flatMap((group) => group.documents).map((one) => [one.id, one]),
    );
    for (const document of documents.values()) await this.#send(document);
    return this.#moveTo(feed, groups.at(-1)!.number);
  }

  async #moveTo(feed: FeedDescription, arrival: number, comparedUpTo?: string): Promise<SinkTurn> {
    const { store, source, sink } = this.#parts;
    const incarnation = feed.incarnations.at(-1) ?? "";
    const value = encodeCursor({ store: source.storeId, incarnation, arrival, comparedUpTo });
    await store.apply({ put: [{ path: sinkFeedPath(sink.name), value }] });
    return { name: "busy" };
  }

  async #send(document: ListedDocument): Promise<void> {
    const { sink, store, source } = this.#parts;
    if (!isNamed(document)) return await this.#passOver(document, "damaged");
    if (!sink.accepts(document)) return;
    const path = sinkSentPath(sink.name, document.id);
    const [stored] = await store.get([path]);
    const sent = stored instanceof Uint8Array ? decodeSent(stored) : new Map();
    const reading = await source.readChanges(document.id, sent, accept);
    if (reading.outcome !== "whole") {
      const reason = reading.outcome === "undetermined" ? reading.reason : reading.outcome;
      await this.#passOver(document, reason);
      return;
    }
    let unwritten = 0;
    const keep = async (): Promise<void> => {
      if (unwritten > 0) await store.apply({ put: [{ path, value: encodeSent(sent) }] });
      unwritten = 0;
    };
    try {
      for await (const chunk of reading.changes) {
        for (const change of chunk) {
          const dead = await this.#deliver(change);
          sent.set(change.lane, change.seq);
          unwritten++;
          if (dead) await this.#bury(dead, path, encodeSent(sent));
          else if (unwritten >= unwrittenMax) await keep();
        }
      }
    } finally {
      await keep();
    }
  }

  /** @returns what is to be kept as dead, when it was given up. */
  async #deliver(change: SourceChange): Promise<DeadChange | undefined> {
    const { sink, environment } = this.#parts;
    const id = toHex(change.id);
    if (this.#trying?.id !== id) this.#trying = { id, attempts: 0 };
    this.#trying.attempts++;
    this.#step("attempt");
    const delivery = await attempt(sink, change, id);
    if (delivery.outcome === "delivered") {
      this.#step("succeeded");
      this.counters.delivered++;
      return undefined;
    }
    const { attempts } = this.#trying;
    if (delivery.outcome === "failed") {
      this.#step("failed");
      this.counters.failed++;
      if (attempts < sink.attemptsMax) throw new Interrupted();
    } else {
      // It was heard, and said no to this one.
      this.#step("succeeded");
    }
    const { lane, seq, document } = change;
    const { reason } = delivery;
    const atMs = Math.floor(environment.clock.nowMs());
    return { id, document: document.id, lane, seq, reason, attempts, atMs };
  }

  /** The entry and the place behind it are one batch: a change is on its way, handed over, or dead. */
  async #bury(dead: DeadChange, path: readonly string[], sent: Uint8Array): Promise<void> {
    const { sink, store, environment } = this.#parts;
    const draft = new RecordDraft(store);
    draft.put(path, sent);
    draft.put([...deadChangesPath(sink.name), dead.id], encodeDeadChange(dead));
    await draft.commit();
    this.counters.dead++;
    const { id, reason } = dead;
    environment.logger.error("sink.change_dead", { sink: sink.name, id, reason });
  }

  /** Until it changes again; where changes are gone for good, that is kept like a dead one of the document's id. */
  async #passOver({ id }: ListedDocument, reason: string): Promise<void> {
    this.counters.undetermined++;
    const { sink, store, environment } = this.#parts;
    environment.logger.warn("sink.document_passed_over", { sink: sink.name, document: id, reason });
    if (reason !== "pruned") return;
    const atMs = Math.floor(environment.clock.nowMs());
    const lane = "" as LaneId;
    const value = encodeDeadChange({ id, document: id, lane, seq: 0, reason, attempts: 0, atMs });
    await store.apply({ put: [{ path: [...deadChangesPath(sink.name), id], value }] });
  }

  #step(name: "attempt" | "succeeded" | "failed"): void {
    const { environment, retry } = this.#parts;
    const { clock, random } = environment;
    const context = { nowMs: clock.monotonicMs(), random, ...(retry && { limits: retry }) };
    this.#retry = nextRetryState(this.#retry, { name }, context);
  }

  #waiting(): SinkTurn {
    return "dueMs" in this.#retry
      ? { name: "waiting", dueMs: this.#retry.dueMs }
      : { name: "busy" };
  }
}

async function attempt(sink: Sink, change: SourceChange, key: string): Promise<Delivery> {
  try {
    return await sink.deliver(change, key);
  } catch (error) {
    return { outcome: "failed", reason: String(error) };
  }
}
