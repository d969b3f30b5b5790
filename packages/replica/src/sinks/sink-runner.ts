import type { DocumentId, LaneId } from "@heddle/core";
import {
  cursorAt,
  decodeCursor,
  decodeSinkStart,
  decodeStalled,
  encodeCursor,
  encodeSinkStart,
  isFeedGap,
  isGoodCursor,
  readOr,
  sinkFeedPath,
  sinkStalledPath,
  sinkStartPath,
  type FeedCursor,
  type FeedDescription,
  type FeedGroup,
  type ListedDocument,
  type RecordPath,
  type Sink,
  type SinkStart,
  type StoredRecord,
} from "@heddle/reconcile";

import type { DeadChanges } from "./dead-changes.ts";
import {
  DocumentSender,
  Interrupted,
  type SinkCounters,
  type SinkParts,
} from "./document-sender.ts";
import type { SinkBreaker } from "./sink-attempts.ts";

/** What one turn came to. */
export type SinkTurn =
  | { readonly name: "idle" | "busy" }
  /** The outside did not take a change; before this moment of the monotonic clock nothing is tried. */
  | { readonly name: "waiting"; readonly dueMs: number };

/** Groups or documents that one turn looks at. */
const pageMax = 256;

/**
 * Hands every change of the documents that a sink accepts to the outside, in the order of their log, document by
 * document; at least once, each with the id of its envelope as the idempotency key. What the outside does not take is
 * tried again with back-off and behind a breaker; what it will never take is kept as dead and can be looked at.
 *
 *   noting (begins with "now") ──► following ◄──► comparing: every document, against what was sent of it
 */
export class SinkRunner {
  readonly #parts: SinkParts;
  readonly #sender: DocumentSender;
  /** Document and lane of what counts as new although it was noted as sent. */
  readonly #renewed = new Set<string>();
  /** Of the source, when it was followed last. */
  #opening: object | undefined;
  #lag = 0;
  #stalledAfter: RecordPath | undefined;

  constructor(parts: SinkParts) {
    this.#parts = parts;
    this.#sender = new DocumentSender(parts);
  }

  get name(): string {
    return this.#parts.sink.name;
  }

  get sink(): Sink {
    return this.#parts.sink;
  }

  get counters(): Readonly<SinkCounters> {
    return this.#sender.counters;
  }

  get dead(): DeadChanges {
    return this.#sender.dead;
  }

  get breaker(): SinkBreaker {
    return this.#sender.breaker;
  }

  /** Commit groups that had arrived at the last turn and were not gone through; all of them while it compares. */
  get lag(): number {
    return this.#lag;
  }

  /**
   * One bounded piece of work.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*`; the next turn begins with what was written.
   */
  async turn(): Promise<SinkTurn> {
    const { store, source, sink } = this.#parts;
    const { dueMs } = this.breaker;
    if (dueMs !== undefined) return { name: "waiting", dueMs };
    await this.dead.open();
    const paths = [sinkFeedPath(sink.name), sinkStartPath(sink.name)];
    const [storedCursor, storedStart] = await store.get(paths);
    const feed = await source.describeFeed();
    const cursor = this.#sender.readable("feed", storedCursor, decodeCursor);
    const start = this.#sender.readable("start", storedStart, decodeSinkStart);
    const isNew = storedCursor === undefined && storedStart === undefined;
    const isNoting = start?.name === "noting" || (isNew && sink.from === "now");
    const isGood = cursor !== undefined && isGoodCursor(cursor, source.storeId, feed);
    const isFollowing = isGood && cursor.comparedUpTo === undefined;
    this.#lag = feed.lastArrival - (isFollowing ? cursor.arrival : 0);
    return this.#unlessInterrupted(() => {
      if (!isGood) return this.#compareAll(feed, isNoting ? { name: "noting" } : undefined);
      if (this.#isToCompare(!isNoting && cursor.arrival >= newUpToOf(start))) {
        return this.#compareAll(feed);
      }
      if (!isFollowing) return this.#compare(cursor, feed, isNoting);
      return this.#follow(cursor, feed, start);
    });
  }

  /** Looks again at documents that could not be read, as many as a turn takes; all of them in turn, call by call. */
  async retryStalled(): Promise<void> {
    const { store, sink } = this.#parts;
    if (this.breaker.dueMs !== undefined) return;
    const under = sinkStalledPath(sink.name);
    const page = await store.readPage({ under, after: this.#stalledAfter, limit: pageMax });
    this.#stalledAfter = page.length < pageMax ? undefined : page.at(-1)?.path;
    await this.#unlessInterrupted(async () => {
      for (const record of page) await this.#sender.send(await this.#stalledDocument(record));
      return { name: "busy" };
    });
  }

  async #unlessInterrupted(work: () => Promise<SinkTurn>): Promise<SinkTurn> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      const { dueMs } = this.breaker;
      return dueMs === undefined ? { name: "busy" } : { name: "waiting", dueMs };
    }
  }

  /**
   * Whether the members of its space have changed, and with them perhaps what counts of documents that were sent. Not
   * while some of what was noted as sent is new all the same, of which only the feed says so.
   */
  #isToCompare(isAllowed: boolean): boolean {
    const opening = this.#parts.source.moves?.mark().opening;
    const isSame = this.#opening === undefined || this.#opening === opening;
    if (isSame || isAllowed) this.#opening = opening;
    return !isSame && isAllowed;
  }

  #compareAll(feed: FeedDescription, start?: SinkStart): Promise<SinkTurn> {
    return this.#moveTo(feed, { arrival: feed.lastArrival, comparedUpTo: "", start });
  }

  /**
   * All documents: what was handed over of each is known, so that nothing goes out twice for that. Of a sink that
   * begins now, what there is of each is noted instead.
   */
  async #compare(cursor: FeedCursor, feed: FeedDescription, isNoting: boolean): Promise<SinkTurn> {
    const after = cursor.comparedUpTo === "" ? undefined : (cursor.comparedUpTo as DocumentId);
    const documents = await this.#parts.source.readDocuments(after, pageMax);
    const { arrival } = cursor;
    if (documents.length === 0) {
      const { lastArrival } = await this.#parts.source.describeFeed();
      const start = isNoting ? ({ name: "noted", newUpTo: lastArrival } as const) : undefined;
      return this.#moveTo(feed, { arrival, start });
    }
    for (const document of documents) {
      await (isNoting ? this.#sender.note(document) : this.#sender.send(document));
    }
    return this.#moveTo(feed, { arrival, comparedUpTo: documents.at(-1)!.id });
  }

  async #follow(
    cursor: FeedCursor,
    feed: FeedDescription,
    start: SinkStart | undefined,
  ): Promise<SinkTurn> {
    const { groups } = await this.#parts.source.readFeed(cursor.arrival, pageMax);
    if (isFeedGap(cursor, groups, feed)) return this.#compareAll(feed);
    if (groups.length === 0) {
      this.#lag = 0;
      return { name: "idle" };
    }
    const newUpTo = newUpToOf(start);
    const renewed = groups.filter(({ number }) => number <= newUpTo);
    const documents = new Map(
      groups.flatMap((group) => group.documents).map((one) => [one.id, one]),
    );
    for (const document of documents.values()) {
      await this.#renew(document.id, renewed);
      await this.#sender.send(document);
    }
    const arrival = groups.at(-1)!.number;
    if (arrival >= newUpTo) this.#renewed.clear();
    return this.#moveTo(feed, { arrival });
  }

  /** Of what arrived while documents were noted as sent nothing is old; each lane once. */
  async #renew(document: DocumentId, groups: readonly FeedGroup[]): Promise<void> {
    const seqs = new Map<LaneId, number>();
    for (const run of groups.flatMap(({ runs = [] }) => runs)) {
      const isKnown = seqs.has(run.lane) || this.#renewed.has(`${document}/${run.lane}`);
      if (run.document === document && !isKnown) seqs.set(run.lane, run.fromSeq - 1);
    }
    if (seqs.size === 0) return;
    await this.#sender.renew(document, seqs);
    for (const lane of seqs.keys()) this.#renewed.add(`${document}/${lane}`);
  }

  async #moveTo(feed: FeedDescription, { arrival, comparedUpTo, start }: Place): Promise<SinkTurn> {
    const { store, source, sink } = this.#parts;
    const value = encodeCursor(cursorAt(source.storeId, feed, arrival, comparedUpTo));
    const put = [{ path: sinkFeedPath(sink.name), value }];
    if (start) put.push({ path: sinkStartPath(sink.name), value: encodeSinkStart(start) });
    await store.apply({ put });
    return { name: "busy" };
  }

  /** Its record may have been mended since. */
  async #stalledDocument({ path, value }: StoredRecord): Promise<ListedDocument> {
    const id = path.at(-1) as DocumentId;
    const name = readOr(value, decodeStalled)?.name;
    if (name !== undefined && name !== "") return { id, name };
    return (await this.#parts.source.describe(id)) ?? { id, name: undefined };
  }
}

/** Up to this group what was noted as sent may be new. */
function newUpToOf(start: SinkStart | undefined): number {
  return start?.name === "noted" ? start.newUpTo : 0;
}

interface Place {
  readonly arrival: number;
  /** While all documents are compared. */
  readonly comparedUpTo?: string;
  readonly start?: SinkStart | undefined;
}
