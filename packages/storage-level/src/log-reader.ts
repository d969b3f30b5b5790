import {
  HeddleError,
  HeddleErrorCode,
  type Arrival,
  type DocumentId,
  type LaneDescriptor,
  type LaneId,
  type ParkedUpdate,
  type QuarantinedUpdate,
  type RecalledEnvelope,
  type RefusalNote,
  type StoredDocument,
} from "@heddle/core";

import { decodeRuns, readArrival } from "./arrival-record.ts";
import { isWhole, keptVectorOf, readKeptVector } from "./kept-vectors.ts";
import type { Entry, LogDatabase } from "./level-database.ts";
import type { OpenLog } from "./open-log.ts";
import { readFeedFloorOf } from "./verify-tail.ts";
import { damaged } from "./record-codec.ts";
import type { KeyRange } from "./key-writer.ts";
import {
  arrivalKeys,
  documentKeys,
  laneKeys,
  parkedKeysOf,
  quarantineKeysOf,
  recallKeysOf,
  vectorKeys,
} from "./key-ranges.ts";
import { documentOfKey, laneIxOfKey, numberOfKey } from "./parts-of-key.ts";
import { arrivalKey, documentKey, laneKey } from "./record-keys.ts";
import { readDocumentEntry, readLane, readParkedRecord, type ParkedRecord } from "./records.ts";
import { readQuarantined, readRecall } from "./refusal-records.ts";

/**
 * Reads of everything but envelopes (see {@link readLogChunks}). What is kept in memory is looked at
 * before the disk, never after: a document may be reported dirty without need, but never clean with
 * a vector that is older than its log.
 */

/** How often a document may change hands between clean and dirty during one reading of it. */
const readingsMax = 3;

export async function readDocument(
  log: OpenLog,
  document: DocumentId,
): Promise<StoredDocument | undefined> {
  const before = log.spans.changes;
  const kept = await readPositions(log, document);
  if (!kept) return undefined;
  if (!kept.dirty) log.spans.wasRead(document, kept.vector, before);
  const isBeingCreated = log.creating.has(document);
  const key = documentKey(document);
  const record = await log.database.get(key);
  if (!record && isBeingCreated) return undefined;
  if (!record) throw lostDocument(document);
  return { ...readDocumentEntry(key, record), ...kept };
}

/** The kept vector of a document, whose own record is not looked into; `undefined` if it is unknown. */
export async function readPositions(
  log: OpenLog,
  document: DocumentId,
): Promise<Pick<StoredDocument, "vector" | "dirty"> | undefined> {
  for (let reading = 1; reading <= readingsMax; reading++) {
    const dirty = log.dirty.has(document);
    const kept = await readKeptVector(log, document);
    if (dirty || isWhole(log, kept)) return { vector: kept.vector, dirty };
    const isUnknown = kept.vector.size === 0 && !kept.digest;
    if (isUnknown && !(await log.database.hasMany([documentKey(document)])).includes(true)) {
      return undefined;
    }
  }
  throw lost(`a part of the kept vector of document ${document} is missing`);
}

/**
 * Walks documents and positions side by side: both are in the order of document ids. A position or a
 * dirty marker without its document tells that the record of the document was lost.
 */
export async function* readDocuments(log: OpenLog): AsyncIterable<StoredDocument> {
  // What is being created is met on the way, or not at all.
  const dirty = new Set([...log.dirty].filter((document) => !log.creating.has(document)));
  const positions = eachEntry(log.database, vectorKeys);
  try {
    let position = await nextOf(positions);
    for await (const [key, record] of eachEntry(log.database, documentKeys)) {
      const entry = readDocumentEntry(key, record);
      const entries: Entry[] = [];
      while (position && documentOfKey(position[0]) <= entry.id) {
        if (documentOfKey(position[0]) !== entry.id) throw lostDocument(documentOfKey(position[0]));
        entries.push(position);
        position = await nextOf(positions);
      }
      const kept = keptVectorOf(log, entries);
      const isDirty = dirty.delete(entry.id);
      if (isDirty || isWhole(log, kept)) {
        yield { ...entry, vector: kept.vector, dirty: isDirty };
      } else {
        // Damaged, or it became dirty since the start; reading it by itself tells which.
        const again = await readDocument(log, entry.id);
        if (again) yield again;
      }
    }
    const [orphan] = position ? [documentOfKey(position[0])] : dirty;
    if (orphan) throw lostDocument(orphan);
  } finally {
    await positions.return(undefined);
  }
}

export async function readParked(
  log: OpenLog,
  document: DocumentId,
): Promise<readonly ParkedUpdate[]> {
  const parked: ParkedRecord[] = [];
  for await (const [key, record] of eachEntry(log.database, parkedKeysOf(document))) {
    parked.push(readParkedRecord(key, record));
  }
  const ordered = parked.toSorted(
    ({ order: a }, { order: b }) => a.arrival - b.arrival || a.index - b.index,
  );
  return ordered.map(({ update }) => update);
}

export async function readQuarantine(
  log: OpenLog,
  document: DocumentId,
): Promise<readonly QuarantinedUpdate[]> {
  const quarantine: QuarantinedUpdate[] = [];
  for await (const [key, record] of eachEntry(log.database, quarantineKeysOf(document))) {
    quarantine.push(readQuarantined(key, record));
  }
  return quarantine.toSorted(byTime);
}

export async function readRecalls(
  log: OpenLog,
  document: DocumentId,
): Promise<readonly RecalledEnvelope[]> {
  const recalls: RecalledEnvelope[] = [];
  for await (const [key, record] of eachEntry(log.database, recallKeysOf(document))) {
    recalls.push(readRecall(key, record));
  }
  return recalls.toSorted(byTime);
}

/** Keys are in the order of ids, and sorting keeps it among equals. */
function byTime(a: RefusalNote, b: RefusalNote): number {
  return a.atMs - b.atMs;
}

export async function readLaneOf(log: OpenLog, lane: LaneId): Promise<LaneDescriptor | undefined> {
  const laneIx = log.lanes.ixOf(lane);
  if (laneIx === undefined) return undefined;
  const key = laneKey(laneIx);
  const record = await log.database.get(key);
  // It has its number from the moment of its append, which may still be on its way.
  if (record === undefined) return undefined;
  return readLane(log.hash, key, record).descriptor;
}

export async function* readLanes(log: OpenLog): AsyncIterable<LaneDescriptor> {
  let laneIx = 0;
  for await (const [key, record] of eachEntry(log.database, laneKeys)) {
    laneIx++;
    if (laneIxOfKey(key) !== laneIx) throw lost(`the descriptor of lane ${laneIx} is missing`);
    const { descriptor } = readLane(log.hash, key, record);
    if (descriptor) yield descriptor;
  }
  if (laneIx < log.laneCount) throw lost(`the descriptor of lane ${laneIx + 1} is missing`);
}

export async function* readArrivals(
  log: OpenLog,
  after: number,
): AsyncIterable<readonly Arrival[]> {
  const dropped = await readFeedFloorOf(log.database);
  let number = Math.max(after, dropped.number);
  const range = { gte: arrivalKey(number + 1), lt: arrivalKeys.lt };
  let isFirst = true;
  for await (const chunk of log.database.entries(range)) {
    // Groups may have been dropped from the feed between the two looks.
    if (isFirst) number = await feedFloorBelow(log.database, number, chunk[0]![0]);
    isFirst = false;
    yield chunk.map(([key, record]) => {
      number++;
      if (numberOfKey(key) !== number) throw lost(`commit group ${number} is missing`);
      const runs = decodeRuns(readArrival(key, record).runs).map(
        ({ document, laneIx, fromSeq, toSeq }) => {
          const lane = log.lanes.idOf(laneIx);
          if (!lane) throw damaged(key, `lane ${laneIx} of its runs is unknown`);
          return { document, lane, fromSeq, toSeq };
        },
      );
      return { number, runs };
    });
  }
}

/** Below which group a feed that was last known to be whole above `number` begins, at the entry of `first`. */
async function feedFloorBelow(
  database: LogDatabase,
  number: number,
  first: Uint8Array,
): Promise<number> {
  const last = numberOfKey(first) - 1;
  if (last === number) return number;
  const dropped = await readFeedFloorOf(database);
  return dropped.number >= last ? last : number;
}

function lostDocument(document: DocumentId): HeddleError {
  return lost(`the record of document ${document} is missing`);
}

function lost(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, what);
}

async function* eachEntry(database: LogDatabase, range: KeyRange): AsyncGenerator<Entry> {
  for await (const chunk of database.entries(range)) yield* chunk;
}

async function nextOf(entries: AsyncGenerator<Entry>): Promise<Entry | undefined> {
  const { value, done } = await entries.next();
  return done ? undefined : value;
}
