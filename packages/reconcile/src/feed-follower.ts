import { HeddleErrorCode, isHeddleError, type DocumentId, type DocumentName } from "@heddle/core";

import {
  projectDocument,
  type DocumentOutcome,
  type ProjectionTarget,
} from "./project-document.ts";
import { feedPath, generationPath, stalledPath } from "./projection-layout.ts";
import {
  decodeCursor,
  decodeGeneration,
  decodeStalled,
  encodeCursor,
  encodeStalled,
  type FeedCursor,
} from "./projection-records.ts";
import { cursorAt, isFeedGap, isGoodCursor } from "./feed-cursor.ts";
import { readOr } from "./jobs/read-or.ts";
import type { AcceptedDoubts, FeedDescription, ListedDocument } from "./projection-source.ts";
import type { ProjectionStore } from "./projection-store.ts";
import { RecordDraft } from "./record-draft.ts";
import { FollowerCounters } from "./follower-counters.ts";

export interface FollowLimits {
  /** Commit groups, or documents while all are compared, that one step looks at. */
  readonly groupsMax: number;
  /** A step ends early when its batch has grown to so many records or bytes. */
  readonly entriesMax: number;
  readonly bytesMax: number;
}

export const followLimits: FollowLimits = {
  groupsMax: 256,
  entriesMax: 4_096,
  bytesMax: 4 * 1024 * 1024,
};

export interface FollowerOptions {
  readonly limits?: FollowLimits | undefined;
  /** To count on, where several followers count together. */
  readonly counters?: FollowerCounters;
  /** Is told each time that the definition fails on a document. */
  readonly onInvalid?: ((failure: InvalidDocument) => void) | undefined;
}

/** A document that a definition failed on: it keeps the rows that it had. */
export interface InvalidDocument {
  readonly document: ListedDocument;
  readonly error: unknown;
}

/** What one step came to. */
export type FollowStep =
  /** Nothing has arrived since. */
  | { readonly name: "idle" }
  | { readonly name: "advanced"; readonly arrival: number; readonly isComparing: boolean }
  /** Somebody else wrote what this step had read: it is to be done again. */
  | { readonly name: "moved" }
  /** The generation is read and written no more. */
  | { readonly name: "dropped" };

/** Of a document whose record could not be read. */
const noName = "" as DocumentName;

/** A follower shows what everybody sees of a document, and is told when that changes. */
const accept: AcceptedDoubts = ["pending", "quarantine", "degraded"];

/**
 * Keeps one generation of a projection up with the change feed, a bounded step at a time.
 *
 *   no cursor, or one that means nothing any more ──► comparing: every document, by digest L
 *                                                       │ the last one
 *   feed dropped groups, store rolled back ──► again    ▼
 *   following: documents of the next groups ──► ... ──► idle
 *
 * Each step is one batch: rows, shares, totals, markers and the cursor (PRJ-8). A step that was not
 * written is done again, one that was is found by its markers; so the feed may say a thing twice.
 */
export class FeedFollower<Content = unknown> {
  readonly counters: FollowerCounters;
  readonly #store: ProjectionStore;
  readonly #target: ProjectionTarget<Content>;
  readonly #limits: FollowLimits;
  readonly #onInvalid: FollowerOptions["onInvalid"];

  constructor(
    store: ProjectionStore,
    target: ProjectionTarget<Content>,
    { limits = followLimits, counters = new FollowerCounters(), onInvalid }: FollowerOptions = {},
  ) {
    this.#store = store;
    this.#target = target;
    this.#limits = limits;
    this.#onInvalid = onInvalid;
    this.counters = counters;
  }

  /** @throws HeddleError `HEDDLE_STORAGE_*`: nobody knows whether the step was written; do it again. */
  async step(): Promise<FollowStep> {
    const draft = new RecordDraft(this.#store);
    const { generation, source } = this.#target;
    const [record, stored] = await draft.get([generationPath(generation), feedPath(generation)]);
    if (!(record instanceof Uint8Array) || decodeGeneration(record).state === "dropped") {
      return { name: "dropped" };
    }
    const feed = await source.describeFeed();
    // Without a place that can be read every document is compared.
    const cursor = readOr(stored, decodeCursor);
    const isGood = cursor !== undefined && isGoodCursor(cursor, source.storeId, feed);
    if (!isGood) return this.#beginComparison(draft, feed);
    if (cursor.comparedUpTo !== undefined) return this.#compare(draft, cursor, feed);
    return this.#follow(draft, cursor, feed);
  }

  /**
   * Looks again at documents that could not be taken in, as many as a step takes.
   *
   * @returns where to go on with the next call.
   */
  async retryStalled(after?: DocumentId): Promise<RetriedStalled> {
    const draft = new RecordDraft(this.#store);
    const { generation } = this.#target;
    const under = stalledPath(generation, "" as DocumentId).slice(0, -1);
    const from = after === undefined ? undefined : stalledPath(generation, after);
    const limit = Math.min(this.#limits.groupsMax, 1000);
    const page = await this.#store.readPage({ under, after: from, limit });
    let looked = 0;
    for (const { path, value } of page) {
      const id = path.at(-1) as DocumentId;
      // The document of one that cannot be read is found by comparing.
      const stalled = readOr(value, decodeStalled);
      if (stalled) await this.#project(draft, await this.#named(id, stalled.name), false);
      else draft.remove(path);
      looked++;
      if (this.#isFull(draft)) break;
    }
    const outcome = await draft.commit();
    const isMore = looked < page.length || page.length === limit;
    return { outcome, last: isMore ? (page[looked - 1]?.path.at(-1) as DocumentId) : undefined };
  }

  /** Its record may have been mended since. */
  async #named(id: DocumentId, name: string): Promise<ListedDocument> {
    if (name !== "") return { id, name: name as DocumentName };
    return (await this.#target.source.describe(id)) ?? { id, name: undefined };
  }

  /** The number first: what arrives while documents are compared comes with the feed afterwards. */
  #beginComparison(draft: RecordDraft, feed: FeedDescription): Promise<FollowStep> {
    this.counters.comparisons++;
    const arrival = feed.lastArrival;
    return this.#commit(draft, this.#cursorAt(feed, arrival, ""));
  }

  async #compare(
    draft: RecordDraft,
    cursor: FeedCursor,
    feed: FeedDescription,
  ): Promise<FollowStep> {
    const { source } = this.#target;
    const after = cursor.comparedUpTo === "" ? undefined : (cursor.comparedUpTo as DocumentId);
    const documents = await source.readDocuments(after, this.#limits.groupsMax);
    if (documents.length === 0) return this.#commit(draft, this.#cursorAt(feed, cursor.arrival));
    let last = documents[0]!.id;
    for (const document of documents) {
      await this.#project(draft, document, false);
      last = document.id;
      if (this.#isFull(draft)) break;
    }
    return this.#commit(draft, this.#cursorAt(feed, cursor.arrival, last));
  }

  async #follow(
    draft: RecordDraft,
    cursor: FeedCursor,
    feed: FeedDescription,
  ): Promise<FollowStep> {
    const { groups } = await this.#target.source.readFeed(cursor.arrival, this.#limits.groupsMax);
    if (isFeedGap(cursor, groups, feed)) return this.#beginComparison(draft, feed);
    if (groups.length === 0) return { name: "idle" };
    const done = new Set<DocumentId>();
    let { arrival } = cursor;
    for (const { number, documents } of groups) {
      for (const document of documents) {
        // One look takes in all that the document holds by now, whatever group brought it.
        if (done.has(document.id)) continue;
        done.add(document.id);
        await this.#project(draft, document, true);
      }
      arrival = number;
      if (this.#isFull(draft)) break;
    }
    return this.#commit(draft, this.#cursorAt(feed, arrival));
  }

  async #project(
    draft: RecordDraft,
    document: ListedDocument,
    isFollowing: boolean,
  ): Promise<void> {
    const path = stalledPath(this.#target.generation, document.id);
    const outcome = await this.#projectOne(draft, document, isFollowing);
    this.counters.note(outcome);
    if (outcome.outcome === "invalid") this.#onInvalid?.({ document, error: outcome.error });
    const reason = stallOf(outcome);
    const [stored] = await draft.get([path]);
    if (reason !== undefined)
      draft.put(path, encodeStalled({ name: document.name ?? noName, reason }));
    else if (stored !== undefined) draft.remove(path);
  }

  async #projectOne(
    draft: RecordDraft,
    { id, name }: ListedDocument,
    isFollowing: boolean,
  ): Promise<DocumentOutcome> {
    if (name === undefined) return { outcome: "undetermined", reason: "damaged" };
    try {
      return await projectDocument(this.#target, draft, { id, name }, { accept, isFollowing });
    } catch (error) {
      // Of `partition`: one document that it cannot place must not stop all others.
      if (isHeddleError(error, HeddleErrorCode.projectionInvalid))
        return { outcome: "invalid", error };
      throw error;
    }
  }

  #isFull(draft: RecordDraft): boolean {
    return draft.entries >= this.#limits.entriesMax || draft.bytes >= this.#limits.bytesMax;
  }

  #cursorAt(feed: FeedDescription, arrival: number, comparedUpTo?: string): FeedCursor {
    return cursorAt(this.#target.source.storeId, feed, arrival, comparedUpTo);
  }

  async #commit(draft: RecordDraft, cursor: FeedCursor): Promise<FollowStep> {
    draft.put(feedPath(this.#target.generation), encodeCursor(cursor));
    const outcome = await draft.commit();
    if (outcome !== "applied") {
      this.counters.moved++;
      return { name: "moved" };
    }
    this.counters.steps++;
    const isComparing = cursor.comparedUpTo !== undefined;
    return { name: "advanced", arrival: cursor.arrival, isComparing };
  }
}

export interface RetriedStalled {
  readonly outcome: "applied" | "moved" | "fenced";
  /** Where to go on; `undefined` when there are no more. */
  readonly last: DocumentId | undefined;
}

/** Why a document has to be looked at again; `undefined` when it has not. */
function stallOf(outcome: DocumentOutcome): string | undefined {
  if (outcome.outcome === "undetermined") return outcome.reason;
  return outcome.outcome === "invalid" ? "invalid" : undefined;
}
