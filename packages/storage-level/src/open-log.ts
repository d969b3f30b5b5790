import { laneId, type DocumentId, type Hash, type HeddleError, type Logger } from "@heddle/core";

import { AuditNumbers } from "./audit-records.ts";
import { LaneAliases } from "./lane-aliases.ts";
import { LaneSpans } from "./lane-spans.ts";
import type { LogDatabase } from "./level-database.ts";
import { dirtyKeys, documentKeys, laneAliasKeys, laneKeys } from "./key-ranges.ts";
import { documentOfKey, laneBytesOfKey, laneIxOfKey } from "./parts-of-key.ts";
import { openRecord } from "./record-codec.ts";
import { readLane, readLaneAlias, type LogMark, type LogTail, type StoredLane } from "./records.ts";
import { verifyTail } from "./verify-tail.ts";

/** An open, verified log with what is kept of it in memory. Replaced as a whole after a fence. */
export interface OpenLog {
  readonly database: LogDatabase;
  readonly hash: Hash;
  readonly lanes: LaneAliases;
  /** Lanes that were on disk when the log was opened. */
  readonly laneCount: number;
  /** Documents whose log may hold more than their kept vector; marked before the disk knows. */
  readonly dirty: Set<DocumentId>;
  /** Documents of which the first group is being written: marked dirty, and not on disk yet. */
  readonly creating: Set<DocumentId>;
  /** Where the log ends; moves with every group. */
  tail: LogTail;
  readonly mark: LogMark;
  readonly arrivalsVerified: number;
  /** Where the lanes of documents that were read lately begin and end. */
  readonly spans: LaneSpans;
  readonly audit: AuditNumbers;
}

interface Tools {
  readonly hash: Hash;
  readonly logger: Logger;
}

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT`. `known` as in {@link verifyTail}. */
export async function openLog(
  database: LogDatabase,
  tools: Tools,
  known?: LogMark,
): Promise<OpenLog> {
  const { tail, mark, verified } = await verifyTail(database, tools, known);
  const lanes = await loadLanes(database, tools);
  const dirty = await loadDirty(database, tools.logger);
  const { hash } = tools;
  const laneCount = lanes.lastIx;
  const audit = await AuditNumbers.load(database);
  const inMemory = { dirty, creating: new Set<DocumentId>(), spans: new LaneSpans(), audit };
  return { database, hash, lanes, laneCount, ...inMemory, tail, mark, arrivalsVerified: verified };
}

/** From the aliases, which need no hashing; a damaged or lost one is found again by descriptor. */
async function loadLanes(database: LogDatabase, tools: Tools): Promise<LaneAliases> {
  const lastKey = await database.lastKey(laneKeys);
  const laneCount = lastKey ? laneIxOfKey(lastKey) : 0;
  const lanes = new LaneAliases(laneCount);
  let readableCount = 0;
  for await (const chunk of database.entries(laneAliasKeys)) {
    for (const [key, record] of chunk) {
      try {
        const { laneIx, openedAfter, isUndescribed = false } = readLaneAlias(key, record);
        const lane = laneId(laneBytesOfKey(key));
        lanes.set(lane, laneIx, openedAfter);
        lanes.describe(lane, !isUndescribed);
        readableCount++;
      } catch (error) {
        tools.logger.error("store.record_damaged", { error: (error as HeddleError).message });
      }
    }
  }
  if (readableCount < laneCount) {
    for await (const [laneIx, { id, descriptor }] of readableLanes(database, tools.hash)) {
      lanes.set(id, laneIx);
      lanes.describe(id, descriptor !== undefined);
    }
  }
  return lanes;
}

async function* readableLanes(
  database: LogDatabase,
  hash: Hash,
): AsyncIterable<readonly [number, StoredLane]> {
  for await (const chunk of database.entries(laneKeys)) {
    for (const [key, record] of chunk) {
      try {
        yield [laneIxOfKey(key), readLane(hash, key, record)];
      } catch {
        // Whoever reads the lanes is told; here the other lanes matter.
      }
    }
  }
}

/** A damaged marker may have stood for any document, so that every document counts as dirty. */
async function loadDirty(database: LogDatabase, logger: Logger): Promise<Set<DocumentId>> {
  const dirty = new Set<DocumentId>();
  let damagedCount = 0;
  for await (const chunk of database.entries(dirtyKeys)) {
    for (const [key, record] of chunk) {
      try {
        openRecord(key, record);
        dirty.add(documentOfKey(key));
      } catch (error) {
        damagedCount++;
        logger.error("store.record_damaged", { error: (error as HeddleError).message });
      }
    }
  }
  if (damagedCount === 0) return dirty;
  for await (const chunk of database.entries(documentKeys)) {
    for (const [key] of chunk) dirty.add(documentOfKey(key));
  }
  return dirty;
}
