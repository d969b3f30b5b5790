import type {
  DocumentId,
  DocumentName,
  EnvelopeId,
  Hlc,
  LaneId,
  MoveLedger,
  StoreId,
} from "@heddle/core";

/**
 * The port to the source of truth: documents as their log on this disk has them, never what is live in
 * memory. `Content` is what a definition's `derive` is handed; the kernel does not look inside.
 *
 * Whoever reads gets a whole document or a reason why not: nothing may be corrected from half of one.
 */
export interface ProjectionSource<Content = unknown> {
  readonly storeId: StoreId;
  /** Ids of documents of which a reading may say something else than before; missing where it does not tell. */
  readonly moves?: MoveLedger | undefined;

  /** @throws HeddleError `HEDDLE_STORAGE_*`; so do all readings that have no outcome for it. */
  describeFeed(): Promise<FeedDescription>;

  /**
   * Changes above group `after`, ascending: at most `limit` groups. `first` is above `after + 1` when
   * groups in between were dropped, so that nobody knows what they named.
   */
  readFeed(after: number, limit: number): Promise<FeedPage>;

  /** Documents in the order of their ids, from behind `after` on; at most `limit`. */
  readDocuments(after: DocumentId | undefined, limit: number): Promise<readonly ListedDocument[]>;

  /** Id and name of a document; `undefined` when the source has never heard of it. For reconciliation jobs. */
  describe(document: DocumentId): Promise<ListedDocument | undefined>;

  /** Digest L of a document, at the least cost there is. No content is read. */
  look(document: DocumentId, accept?: AcceptedDoubts): Promise<SourceLook>;

  /** A document with its content. */
  read(document: DocumentId, accept?: AcceptedDoubts): Promise<SourceReading<Content>>;

  /** What a document's log holds above seqs, in the order of arrival. */
  readChanges(
    document: DocumentId,
    above: ReadonlyMap<LaneId, number>,
    accept?: AcceptedDoubts,
  ): Promise<SourceChanges>;
}

export interface FeedDescription {
  /**
   * Openings whose numbers still hold, in hex, oldest first: those since the store was last found to be
   * an older state of itself. A cursor of another one means nothing any more.
   */
  readonly incarnations: readonly string[];
  readonly lastArrival: number;
  /** Others write the original meanwhile, so that a document of the projection may be of a later state than here. */
  readonly isCopy?: boolean;
}

export interface FeedPage {
  readonly groups: readonly FeedGroup[];
}

export interface FeedGroup {
  readonly number: number;
  /** Each once, in the order in which the group names them. */
  readonly documents: readonly ListedDocument[];
  /** What it brought, where the source can say so. */
  readonly runs?: readonly FeedRun[];
}

/** A stretch of a lane that one group brought. */
export interface FeedRun {
  readonly document: DocumentId;
  readonly lane: LaneId;
  /** Its first seq. */
  readonly fromSeq: number;
}

/** A source whose changes are handed to the outside. */
export interface SinkSource<Content = unknown> extends ProjectionSource<Content> {
  /** How far the log of a document goes, and from where on it can be read. No change is read. */
  readExtent(document: DocumentId, accept?: AcceptedDoubts): Promise<SourceExtent>;
}

export type SourceExtent =
  | Undetermined
  | Absent
  | {
      readonly outcome: "whole";
      /** Lane → newest seq. */
      readonly vector: ReadonlyMap<LaneId, number>;
      /** Lane → seq up to which changes were dropped; none of it where nothing was. */
      readonly floors: ReadonlyMap<LaneId, number>;
    };

/** A document whose own record is damaged has no name; it hides none of the others. */
export interface ListedDocument {
  readonly id: DocumentId;
  readonly name: DocumentName | undefined;
}

export function isNamed(document: ListedDocument | undefined): document is SourceDocument {
  return document?.name !== undefined;
}

export interface SourceDocument extends ListedDocument {
  readonly name: DocumentName;
}

/**
 * Why nothing may be concluded from a document: a seq is missing (`gap`), something waits for what it
 * depends on (`pending`), something was kept away from it (`quarantine`), it is served although its audit
 * fails (`degraded`), its log does not prove itself (`damaged`), or what a fold needs was dropped
 * under a checkpoint (`pruned`).
 */
export const undeterminedReasons = [
  "gap",
  "pending",
  "quarantine",
  "degraded",
  "damaged",
  "pruned",
] as const;
export type UndeterminedReason = (typeof undeterminedReasons)[number];

/**
 * Reasons that do not keep a reader from what the log holds. Whoever follows the feed takes a document
 * for which something waits, or from which something is kept away: it shows what everybody sees, and
 * is told of the next change. Whoever corrects takes none.
 */
export type AcceptedDoubts = readonly UndeterminedReason[];

export interface Undetermined {
  readonly outcome: "undetermined";
  readonly reason: UndeterminedReason;
}

/** The source has never heard of it. */
export interface Absent {
  readonly outcome: "absent";
}

export type SourceLook =
  | Undetermined
  | Absent
  | { readonly outcome: "whole"; readonly log: string };

export type SourceReading<Content = unknown> =
  | Undetermined
  | Absent
  | {
      readonly outcome: "whole";
      /** Digest L in hex, of exactly what `content` holds. */
      readonly log: string;
      readonly content: Content;
    };

export type SourceChanges =
  | Undetermined
  | Absent
  | {
      readonly outcome: "whole";
      /** Digest L in hex once all of `changes` is taken in. */
      readonly log: string;
      /** Lane → seq up to which the log goes then. */
      readonly vector: ReadonlyMap<LaneId, number>;
      /** Lane → seq from which on its changes do not count, by the records of a space, and may count yet. */
      readonly uncounted?: ReadonlyMap<LaneId, number>;
      /** Read it once. */
      readonly changes: AsyncIterable<readonly SourceChange[]>;
    };

/** One envelope of a document, as folds and sinks are handed it. */
export interface SourceChange {
  /** 32 bytes: the idempotency key of whatever is done because of it. */
  readonly id: EnvelopeId;
  readonly document: SourceDocument;
  readonly lane: LaneId;
  readonly seq: number;
  readonly hlc: Hlc;
  /** The payload: an update of the document's engine, V1 of Yjs. */
  readonly update: Uint8Array;
  /** UTF-8, as in an envelope. */
  readonly principal?: string | undefined;
  readonly reason?: string | undefined;
  /** In hex. */
  readonly correlationId?: string | undefined;
}
