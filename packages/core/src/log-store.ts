import type { Attribution } from "./attribution.ts";
import type { Envelope } from "./envelope.ts";
import type { HeddleError } from "./errors.ts";
import type { Hlc } from "./hybrid-clock.ts";
import type { DocumentId, DocumentName, LaneId, StoreId } from "./ids.ts";
import type { MoveLedger } from "./move-ledger.ts";
import type { LaneDescriptor } from "./lane.ts";
import type { AuditRecord, DocumentSurvey, LogMend } from "./log-repair.ts";
import type {
  KeptFork,
  PeerAck,
  PeerCursor,
  RefusedEnvelope,
  RefusedPlace,
} from "./peer-records.ts";
import type { Incarnation, RepairRequest, StoreRollback } from "./store-history.ts";
import type { VersionVector } from "./version-vector.ts";

/**
 * The port to durable storage. An implementation is an adapter and runs the contract suite of
 * `@heddle/testkit`; the numbers of docs/guarantees.md say what it owes.
 *
 *   open ──write error──► fenced ──closed, reopened, verified──► open
 *     └──────────────────────┴── close() ──► closed
 */
export interface LogStore {
  readonly storeId: StoreId;
  readonly state: LogStoreState;
  /** What opening found. */
  readonly opening: StoreOpening;
  /** Ids of documents about which something was written; missing where a store does not tell. */
  readonly moves?: MoveLedger | undefined;

  /**
   * Adds `batch` whole or not at all, and resolves with the number of its commit group once it is on
   * disk (STO-1, STO-2). Calls that wait together share one group and one sync. Order is kept.
   *
   * @throws HeddleError `HEDDLE_STORAGE_FULL`, `HEDDLE_STORAGE_IO`, `HEDDLE_STORAGE_CLOSED`. After a
   * failure nobody knows whether the batch is on disk: read again before building on it (STO-4).
   */
  append(batch: LogBatch): Promise<number>;

  /** @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when a record is damaged; so do all reads (STO-3). */
  readDocument(document: DocumentId): Promise<StoredDocument | undefined>;

  /**
   * Documents whose log may hold more than their kept vector, in the order of their ids. Their records
   * are not read, so that a damaged one hides none of the others.
   */
  readDirtyDocuments(): Promise<readonly DocumentId[]>;

  /** Ids of all documents in their order, damaged ones among them: no record is looked into. */
  readDocumentIds(): Promise<readonly DocumentId[]>;

  /** How many documents there are, damaged ones among them. */
  countDocuments(): Promise<number>;

  /** All documents, in the order of their ids. */
  readDocuments(): AsyncIterable<StoredDocument>;

  /**
   * Log of a document in chunks: lane after lane in the order of their opening, seqs ascending.
   * Starts after the positions of `above`, in lanes that it names, and never below the floors.
   */
  readLog(document: DocumentId, above?: VersionVector): AsyncIterable<readonly StoredEnvelope[]>;

  /**
   * Log of a document in chunks, in the order in which its envelopes arrived here (I10): each after
   * all that its author had seen of the document. It holds what had been acknowledged when it began,
   * and costs what it returns, whatever else is in the log or in other documents.
   */
  readLogByArrival(
    document: DocumentId,
    range?: LogRange,
  ): AsyncIterable<readonly StoredEnvelope[]>;

  /** Parked updates of a document, oldest first. */
  readParked(document: DocumentId): Promise<readonly ParkedUpdate[]>;

  /** Updates of a document that were refused for what they do, by time, then id (STO-8). */
  readQuarantine(document: DocumentId): Promise<readonly QuarantinedUpdate[]>;

  /** Envelopes of a document that are skipped when it is loaded, by time, then id (STO-8). */
  readRecalls(document: DocumentId): Promise<readonly RecalledEnvelope[]>;

  /** Checkpoints of a document, newest first, without their states. */
  readCheckpoints(document: DocumentId): Promise<readonly StoredCheckpoint[]>;

  /** The state of a checkpoint as it was given, deflated. */
  readCheckpointState(document: DocumentId, number: number): Promise<Uint8Array>;

  /** Lanes whose envelopes up to a seq were dropped: the log holds exactly what is above (I1). */
  readFloors(document: DocumentId): Promise<ReadonlyMap<LaneId, number>>;

  /** What is left of dropped envelopes: lane after lane in the order of their opening, seqs ascending. */
  readAttributions(document: DocumentId): Promise<readonly Attribution[]>;

  /** The descriptor of a lane; `undefined` when the store has never seen it. */
  readLane(lane: LaneId): Promise<LaneDescriptor | undefined>;

  /** Descriptors in the order in which the lanes were opened. */
  readLanes(): AsyncIterable<LaneDescriptor>;

  /**
   * The change feed: commit groups above `after`, ascending, in chunks. Groups at its beginning go
   * with the envelopes that they list, so that the first number may be higher than `after + 1`.
   */
  readArrivals(after: number): AsyncIterable<readonly Arrival[]>;

  /** Number of the last commit group, as an append would have answered that came before. */
  readLastArrival(): Promise<number>;

  /** One for each peer whose feed was followed, in the order of their ids. */
  readCursors(): Promise<readonly PeerCursor[]>;

  /**
   * What a peer has on its disk, as far as it told: by document, then lane in the order of opening. Void
   * when the incarnation of its cursor is not in the peer's history any more.
   */
  readAcks(store: StoreId): AsyncIterable<readonly PeerAck[]>;

  /** Lanes of a document that have two histories, by lane and seq. */
  readForks(document: DocumentId): Promise<readonly KeptFork[]>;

  /** Documents that have such lanes, each once, in no particular order. */
  readForkedDocuments(): AsyncIterable<readonly DocumentId[]>;

  /** What peers refused for good, of one document or of all, by document, lane and seq. */
  readRefused(document?: DocumentId): AsyncIterable<readonly RefusedEnvelope[]>;

  /**
   * Openings of the store, oldest first, the present one last. A number of the change feed means
   * something only together with the nonce of the incarnation that gave it.
   */
  readIncarnations(): Promise<readonly Incarnation[]>;

  /** What was found lost or damaged and not yet given back by another replica, oldest first. */
  readRepairRequests(): Promise<readonly RepairRequest[]>;

  /**
   * Looks at every record of a document by itself and passes over what is damaged; `undefined` where
   * nothing of it is here.
   *
   * @throws HeddleError `HEDDLE_STORAGE_IO`, `HEDDLE_STORAGE_CLOSED`.
   */
  surveyDocument(document: DocumentId): Promise<DocumentSurvey | undefined>;

  /** The audit journal, oldest first, after a number. */
  readAudit(after?: number): AsyncIterable<readonly AuditRecord[]>;

  /** Calls `listener` after every change of `state`; the returned function stops that. */
  onStateChange(listener: (state: LogStoreState) => void): () => void;

  /** Waits for what was appended, then lets go of the files. Safe to call twice. */
  close(): Promise<void>;
}

export type LogStoreState =
  /** `readOnly` says why nothing new should be appended although reads work and writes still would. */
  | { readonly name: "open"; readonly readOnly?: HeddleError | undefined }
  | { readonly name: "fenced"; readonly error: HeddleError }
  | { readonly name: "closed" };

export interface StoreOpening {
  /** True when this open made the store. */
  readonly created: boolean;
  /** Number of the last commit group; 0 in a new store. */
  readonly lastArrival: number;
  /** Highest clock reading among stored envelopes. */
  readonly lastHlc: Hlc;
  /** Commit groups whose chain was checked again. */
  readonly arrivalsVerified: number;
  /** 16 random bytes of this open, kept in the store's history of incarnations. */
  readonly incarnation: Uint8Array;
  /** Set when the store may be an older state of itself (STO-9). */
  readonly rollback?: StoreRollback | undefined;
}

/** What one append writes. Everything is optional; a batch without any part is refused by assert. */
export interface LogBatch {
  /** Lanes whose first envelopes follow; those that are there already are passed over. */
  readonly lanes?: readonly LaneDescriptor[];
  /** Documents that are new here, or whose options changed. */
  readonly documents?: readonly DocumentEntry[];
  /** In the order in which they were accepted. */
  readonly envelopes?: readonly Envelope[];
  /** Positions worth keeping; the document counts as clean until its next envelope. */
  readonly vectors?: readonly DocumentVector[];
  readonly park?: readonly { readonly document: DocumentId; readonly update: ParkedUpdate }[];
  readonly release?: readonly { readonly document: DocumentId; readonly id: string }[];
  readonly quarantine?: readonly {
    readonly document: DocumentId;
    readonly update: QuarantinedUpdate;
  }[];
  /** The log itself is never changed: a recalled envelope stays in it. */
  readonly recall?: readonly {
    readonly document: DocumentId;
    readonly envelope: RecalledEnvelope;
  }[];
  /** Added beside those that are there; older ones go when the log is pruned. */
  readonly checkpoints?: readonly Checkpoint[];
  readonly prune?: readonly LogPrune[];
  /** Checkpoints that hold more than the log here; after all other parts but the peers'. */
  readonly adopt?: readonly CheckpointAdoption[];
  /** Cursors and acknowledgements of these stores go; before others of the same batch are added. */
  readonly forgetPeers?: readonly StoreId[];
  /** Each in the place of the one before. */
  readonly cursors?: readonly PeerCursor[];
  /** Of lanes that are known. Each in the place of the one before. */
  readonly acks?: readonly PeerAck[];
  readonly forks?: readonly KeptFork[];
  /** Refusals that are over; before others of the same batch are added. */
  readonly accept?: readonly RefusedPlace[];
  /** The log itself is not changed. Each in the place of the one before. */
  readonly refused?: readonly RefusedEnvelope[];
  /** Before all other parts that read the log. */
  readonly mend?: readonly LogMend[];
  /** Entries of the audit journal, each at most `limits.auditEntryBytesMax`. */
  readonly audit?: readonly Uint8Array[];
}

/** Whether envelopes that a checkpoint covers stay in the log, or go. */
export type DocumentHistory = "keep" | "prune";

export interface DocumentEntry {
  readonly id: DocumentId;
  readonly name: DocumentName;
  readonly createdAt: Hlc;
  /** `keep` when missing, as in every document made before there was a choice. */
  readonly history?: DocumentHistory;
}

/** A checkpoint without its state, as `@heddle/core`'s codecs wrote its parts. */
export interface StoredCheckpoint {
  readonly document: DocumentId;
  /** Ascending within the document, from 1. */
  readonly number: number;
  readonly header: Uint8Array;
  readonly vector: readonly Uint8Array[];
}

export interface Checkpoint extends StoredCheckpoint {
  /** Deflated. */
  readonly state: Uint8Array;
}

/** Drops exactly what the newest checkpoint of a document covers, or a part of it. */
export interface LogPrune {
  readonly document: DocumentId;
  /** Lane → seq up to which its envelopes go; never above that checkpoint (I6), never below before. */
  readonly floors: ReadonlyMap<LaneId, number>;
  /** Checkpoints with lower numbers go. */
  readonly checkpointsBelow?: number;
  /** Attributions that are replaced, and what is added. */
  readonly forget?: readonly Pick<Attribution, "lane" | "fromSeq">[];
  readonly attributions?: readonly Attribution[];
}

/**
 * Puts a checkpoint in the place of what its lanes lack here (I5): it becomes the newest, and reaches all
 * floors. Lanes in `floors` begin above it, whether or not their envelopes ever came: each floor is the
 * checkpoint's own seq, and what the log held of the lane goes. The document is dirty afterwards, and
 * the change feed names the last seq of each of these lanes.
 *
 * A lane that the store has never heard of is kept by its id; its descriptor comes with its first envelope.
 */
export interface CheckpointAdoption extends LogPrune {
  readonly checkpoint: Checkpoint;
}

export interface DocumentVector {
  readonly document: DocumentId;
  readonly vector: VersionVector;
}

export interface StoredDocument extends DocumentEntry {
  /** As last kept; the log may hold more while `dirty`. */
  readonly vector: VersionVector;
  readonly dirty: boolean;
}

export interface StoredEnvelope {
  readonly lane: LaneId;
  readonly seq: number;
  /** The encoding of the envelope, as it was appended. */
  readonly bytes: Uint8Array;
}

/** Which part of the log of a document; without it all. */
export interface LogRange {
  /** Starts after these seqs, and never below the floors. Lanes that are missing start at their floors. */
  readonly above?: ReadonlyMap<LaneId, number> | undefined;
  /** Ends with these seqs, whatever lies behind them; lanes that are missing are left out. */
  readonly upTo?: ReadonlyMap<LaneId, number> | undefined;
  /** Only this lane. */
  readonly lane?: LaneId | undefined;
}

/** An update that waits for what it depends on (DOC-6). */
export interface ParkedUpdate {
  /** First 16 bytes of the SHA-256 of `update` in hex: parking twice is parking once. */
  readonly id: string;
  readonly update: Uint8Array;
  readonly parkedAtMs: number;
  /** UTF-8, as in an envelope. */
  readonly principal?: Uint8Array | undefined;
}

/** Why something was kept away from documents, and by which rules. */
export interface RefusalNote {
  /** For people; at most `limits.reasonBytesMax` bytes of UTF-8 are kept. */
  readonly reason: string;
  /** Of the validator that it had passed. */
  readonly validatorVersion: number;
  readonly atMs: number;
  /** What the application said of the edit, as in an envelope: who follows it finds it here. */
  readonly correlationId?: Uint8Array | undefined;
  readonly editReason?: Uint8Array | undefined;
  /** Somebody's word that it is to come back. It holds until the same thing is refused again. */
  readonly release?: RefusalRelease | undefined;
}

export interface RefusalRelease {
  /** Not before the `atMs` of what it releases. */
  readonly atMs: number;
  /** Who says so, for people; at most `limits.reasonBytesMax` bytes of UTF-8 are kept. */
  readonly by: string;
}

/** Whether a refusal is not in force any more. */
export function isReleased({ release, atMs }: RefusalNote): boolean {
  return release !== undefined && release.atMs >= atMs;
}

/** An update that was refused for what it does to a document. Adding it again renews its note. */
export interface QuarantinedUpdate extends RefusalNote {
  /** As in a {@link ParkedUpdate}. */
  readonly id: string;
  /** Missing when there was no room for more than the note. */
  readonly update?: Uint8Array | undefined;
  /** Bytes of the update, kept or not. */
  readonly size: number;
  readonly principal?: Uint8Array | undefined;
  /** As in an envelope. */
  readonly sourceTag?: Uint8Array | undefined;
}

/** An envelope that was logged before it turned out to break its document. */
export interface RecalledEnvelope extends RefusalNote {
  /** The envelope's id in hex. */
  readonly id: string;
  readonly lane: LaneId;
  readonly seq: number;
}

/** One commit group of the change feed. */
export interface Arrival {
  readonly number: number;
  readonly runs: readonly ArrivalRun[];
}

export interface ArrivalRun {
  readonly document: DocumentId;
  readonly lane: LaneId;
  readonly fromSeq: number;
  /** Inclusive. */
  readonly toSeq: number;
}
