import type {
  Arrival,
  Attribution,
  AuditRecord,
  DocumentId,
  DocumentSurvey,
  HeddleError,
  Incarnation,
  KeptFork,
  LaneDescriptor,
  LaneId,
  LogRange,
  LogStore,
  ParkedUpdate,
  PeerAck,
  PeerCursor,
  QuarantinedUpdate,
  RecalledEnvelope,
  RefusedEnvelope,
  RepairRequest,
  StoreId,
  StoredCheckpoint,
  StoredDocument,
  StoredEnvelope,
  VersionVector,
} from "@heddle/core";

import { readAuditAfter } from "./audit-records.ts";
import type { GuardedReads } from "./guarded-reads.ts";
import { readIncarnations, readRepairRequests } from "./history-records.ts";
import { documentKeys } from "./key-ranges.ts";
import type { LogInUse } from "./log-in-use.ts";
import {
  readArrivals,
  readDocument,
  readDocuments,
  readLaneOf,
  readLanes,
  readParked,
  readQuarantine,
  readRecalls,
} from "./log-reader.ts";
import { documentOfKey } from "./parts-of-key.ts";
import {
  readAttributions,
  readCheckpoints,
  readCheckpointState,
  readFloors,
} from "./read-checkpoints.ts";
import { readLogByArrival } from "./read-log-by-arrival.ts";
import { readLogChunks } from "./read-log-chunks.ts";
import {
  readAcks,
  readAllRefused,
  readCursors,
  readForkedDocuments,
  readForks,
} from "./read-peers.ts";
import { surveyDocument } from "./survey-document.ts";

type LogReads = Omit<LogStore, keyof LogWrites>;
type LogWrites = Pick<
  LogStore,
  "storeId" | "state" | "opening" | "append" | "onStateChange" | "close"
>;

/** All that a {@link LogStore} reads, of the log that is in use. */
export abstract class LevelLogReads implements LogReads {
  readonly #inUse: LogInUse;
  readonly #reads: GuardedReads;

  constructor(inUse: LogInUse, reads: GuardedReads) {
    this.#inUse = inUse;
    this.#reads = reads;
  }

  async readDocument(document: DocumentId): Promise<StoredDocument | undefined> {
    return this.#reads.once((log) => readDocument(log, document), document);
  }

  async readDirtyDocuments(): Promise<readonly DocumentId[]> {
    return [...this.#inUse.open.dirty].toSorted();
  }

  async countDocuments(): Promise<number> {
    return this.#reads.once(async ({ database }) => {
      let count = 0;
      for await (const chunk of database.entries(documentKeys)) count += chunk.length;
      return count;
    });
  }

  /** Ids of all documents, those among them whose record is damaged. */
  async readDocumentIds(): Promise<readonly DocumentId[]> {
    return this.#reads.once(async ({ database }) => {
      const ids: DocumentId[] = [];
      for await (const chunk of database.entries(documentKeys)) {
        for (const [key] of chunk) ids.push(documentOfKey(key));
      }
      return ids;
    });
  }

  readDocuments(): AsyncIterable<StoredDocument> {
    return this.#reads.each((log) => readDocuments(log));
  }

  readLog(document: DocumentId, above?: VersionVector): AsyncIterable<readonly StoredEnvelope[]> {
    return this.#reads.each((log) => readLogChunks(log, document, above), document);
  }

  readLogByArrival(
    document: DocumentId,
    range?: LogRange,
  ): AsyncIterable<readonly StoredEnvelope[]> {
    return this.#reads.each((log) => readLogByArrival(log, document, range), document);
  }

  async readParked(document: DocumentId): Promise<readonly ParkedUpdate[]> {
    return this.#reads.once((log) => readParked(log, document), document);
  }

  async readQuarantine(document: DocumentId): Promise<readonly QuarantinedUpdate[]> {
    return this.#reads.once((log) => readQuarantine(log, document), document);
  }

  async readRecalls(document: DocumentId): Promise<readonly RecalledEnvelope[]> {
    return this.#reads.once((log) => readRecalls(log, document), document);
  }

  async readCheckpoints(document: DocumentId): Promise<readonly StoredCheckpoint[]> {
    return this.#reads.once((log) => readCheckpoints(log, document), document);
  }

  async readCheckpointState(document: DocumentId, number: number): Promise<Uint8Array> {
    return this.#reads.once((log) => readCheckpointState(log, document, number), document);
  }

  async readFloors(document: DocumentId): Promise<ReadonlyMap<LaneId, number>> {
    return this.#reads.once((log) => readFloors(log, document), document);
  }

  async readAttributions(document: DocumentId): Promise<readonly Attribution[]> {
    return this.#reads.once((log) => readAttributions(log, document), document);
  }

  async readLane(lane: LaneId): Promise<LaneDescriptor | undefined> {
    return this.#reads.once((log) => readLaneOf(log, lane));
  }

  readLanes(): AsyncIterable<LaneDescriptor> {
    return this.#reads.each((log) => readLanes(log));
  }

  readArrivals(after: number): AsyncIterable<readonly Arrival[]> {
    return this.#reads.each((log) => readArrivals(log, after));
  }

  async readLastArrival(): Promise<number> {
    return this.#inUse.open.tail.number;
  }

  async readCursors(): Promise<readonly PeerCursor[]> {
    return this.#reads.once((log) => readCursors(log));
  }

  readAcks(store: StoreId): AsyncIterable<readonly PeerAck[]> {
    return this.#reads.each((log) => readAcks(log, store));
  }

  async readForks(document: DocumentId): Promise<readonly KeptFork[]> {
    return this.#reads.once((log) => readForks(log, document), document);
  }

  readForkedDocuments(): AsyncIterable<readonly DocumentId[]> {
    return this.#reads.each((log) => readForkedDocuments(log));
  }

  readRefused(document?: DocumentId): AsyncIterable<readonly RefusedEnvelope[]> {
    return this.#reads.each((log) => readAllRefused(log, document), document);
  }

  async surveyDocument(document: DocumentId): Promise<DocumentSurvey | undefined> {
    return this.#reads.once((log) => surveyDocument(log, document));
  }

  readAudit(after = 0): AsyncIterable<readonly AuditRecord[]> {
    const onDamage = (error: HeddleError): void => this.#reads.met(error);
    return this.#reads.each((log) => readAuditAfter(log, after, onDamage));
  }

  async readIncarnations(): Promise<readonly Incarnation[]> {
    return this.#reads.once(({ database }) => readIncarnations(database));
  }

  async readRepairRequests(): Promise<readonly RepairRequest[]> {
    return this.#reads.once(({ database }) => readRepairRequests(database));
  }
}
