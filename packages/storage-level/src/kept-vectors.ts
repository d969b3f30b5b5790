import {
  equalBytes,
  logDigest,
  type DocumentId,
  type LaneId,
  type LanePosition,
  type Logger,
  type VersionVector,
} from "@heddle/core";

import type { Entry, Operation } from "./level-database.ts";
import type { OpenLog } from "./open-log.ts";
import { damaged } from "./record-codec.ts";
import { vectorKeysOf } from "./key-ranges.ts";
import { isVectorDigestKey, laneIxOfKey } from "./parts-of-key.ts";
import { dirtyKey, vectorDigestKey, vectorKey } from "./record-keys.ts";
import {
  putPosition,
  putRecord,
  putVectorDigest,
  readPosition,
  readVectorDigest,
} from "./records.ts";

/**
 * The vector of a document as last kept: one record per lane, and their digest L while the document
 * is clean, from its creation on. The first envelope after that takes the digest away and puts a
 * dirty marker, in its own batch. So each document is clean with a digest or dirty with a marker;
 * anything else has lost a record, and a position that LevelDB lost is noticed where it matters.
 */
export interface KeptVector {
  readonly vector: VersionVector;
  readonly digest: Uint8Array | undefined;
}

export async function readKeptVector(log: OpenLog, document: DocumentId): Promise<KeptVector> {
  const entries: Entry[] = [];
  for await (const chunk of log.database.entries(vectorKeysOf(document))) entries.push(...chunk);
  return keptVectorOf(log, entries);
}

/** `entries` are all records under one document's vector keys. */
export function keptVectorOf(log: OpenLog, entries: readonly Entry[]): KeptVector {
  const vector = new Map<LaneId, LanePosition>();
  let digest: Uint8Array | undefined;
  for (const [key, record] of entries) {
    if (isVectorDigestKey(key)) digest = readVectorDigest(key, record);
    else vector.set(laneOfKey(log, key), readPosition(key, record));
  }
  return { vector, digest };
}

/** Whether what was read of a document that was not dirty before the reading is all there was. */
export function isWhole({ hash }: OpenLog, { vector, digest }: KeptVector): boolean {
  return digest !== undefined && equalBytes(digest, logDigest(hash, vector));
}

/** What to write where a document becomes dirty. */
export function dirtyOperations(document: DocumentId): Operation[] {
  return [
    putRecord(dirtyKey(document), new Uint8Array()),
    { type: "del", key: vectorDigestKey(document) },
  ];
}

/** What to write where it becomes clean; the positions are {@link positionOperations}. */
export function cleanOperations(
  { hash }: OpenLog,
  document: DocumentId,
  vector: VersionVector,
): Operation[] {
  return [
    { type: "del", key: dirtyKey(document) },
    putVectorDigest(document, logDigest(hash, vector)),
  ];
}

/** The positions that differ from the disk, and the end of those that the vector no longer names. */
export async function positionOperations(
  { database, lanes }: OpenLog,
  document: DocumentId,
  vector: VersionVector,
  logger: Logger,
): Promise<Operation[]> {
  const positions = new Map([...vector].map(([lane, position]) => [lanes.ixOf(lane)!, position]));
  const operations: Operation[] = [];
  try {
    for await (const chunk of database.entries(vectorKeysOf(document))) {
      for (const [key, record] of chunk) {
        if (isVectorDigestKey(key)) continue;
        const laneIx = laneIxOfKey(key);
        const wanted = positions.get(laneIx);
        if (!wanted) operations.push({ type: "del", key: vectorKey(document, laneIx) });
        else if (isSame(wanted, key, record)) positions.delete(laneIx);
      }
    }
  } catch (error) {
    // Unreadable positions are about to be replaced by good ones.
    logger.warn("store.record_replaced", { record: "vector", document, error: String(error) });
  }
  for (const [laneIx, position] of positions) {
    operations.push(putPosition(document, laneIx, position));
  }
  return operations;
}

/** The lane in a key of kind V or E. */
export function laneOfKey(log: OpenLog, key: Uint8Array): LaneId {
  const lane = log.lanes.idOf(laneIxOfKey(key));
  if (!lane) throw damaged(key, `its lane ${laneIxOfKey(key)} is unknown`);
  return lane;
}

function isSame(wanted: LanePosition, key: Uint8Array, record: Uint8Array): boolean {
  try {
    const { seq, head } = readPosition(key, record);
    return seq === wanted.seq && equalBytes(head, wanted.head);
  } catch {
    return false; // Damaged: written anew from the caller's copy.
  }
}
