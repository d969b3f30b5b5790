import {
  concatBytes,
  HeddleError,
  HeddleErrorCode,
  type Attribution,
  type DocumentId,
  type LaneId,
  type StoredCheckpoint,
} from "@heddle/core";

import { readAttribution, readFloor } from "./attribution-records.ts";
import { readChunk, readCheckpointRecord } from "./checkpoint-records.ts";
import { laneOfKey } from "./kept-vectors.ts";
import type { Entry, LogDatabase } from "./level-database.ts";
import type { OpenLog } from "./open-log.ts";
import { damaged } from "./record-codec.ts";
import { attributionKeysOf, checkpointKeysOf, chunkKeysOf, floorKeysOf } from "./key-ranges.ts";
import { checkpointNumberOfKey, chunkIndexOfKey } from "./parts-of-key.ts";
import { checkpointKey, ChunkKind } from "./record-keys.ts";

type InDatabase = { readonly database: Pick<LogDatabase, "entries" | "get"> };

/** Newest first. Chunks of a vector that are missing are damage; so are pieces of a state. */
export async function readCheckpoints(
  { database }: InDatabase,
  document: DocumentId,
): Promise<readonly StoredCheckpoint[]> {
  const checkpoints: StoredCheckpoint[] = [];
  for await (const chunk of database.entries(checkpointKeysOf(document))) {
    for (const entry of chunk)
      checkpoints.push(await readCheckpoint({ database }, document, entry));
  }
  return checkpoints.toReversed();
}

export async function readCheckpoint(
  { database }: InDatabase,
  document: DocumentId,
  [key, record]: Entry,
): Promise<StoredCheckpoint> {
  const number = checkpointNumberOfKey(key);
  const { header, vectorChunks } = readCheckpointRecord(key, record);
  const place = { document, number, kind: ChunkKind.vector };
  const vector = await readChunks(database, place, vectorChunks);
  return { document, number, header, vector };
}

export async function readCheckpointState(
  { database }: InDatabase,
  document: DocumentId,
  number: number,
): Promise<Uint8Array> {
  const key = checkpointKey(document, number);
  const record = await database.get(key);
  if (!record) throw lost(`checkpoint ${number} of document ${document} is missing`);
  const { stateChunks } = readCheckpointRecord(key, record);
  const place = { document, number, kind: ChunkKind.state };
  return concatBytes(await readChunks(database, place, stateChunks));
}

async function readChunks(
  database: Pick<LogDatabase, "entries" | "get">,
  { document, number, kind }: { document: DocumentId; number: number; kind: ChunkKind },
  count: number,
): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const entries of database.entries(chunkKeysOf(document, number, kind))) {
    for (const [key, record] of entries) {
      if (chunkIndexOfKey(key) !== chunks.length) throw damaged(key, "the one before is missing");
      chunks.push(readChunk(key, record));
    }
  }
  if (chunks.length === count) return chunks;
  throw lost(`checkpoint ${number} of document ${document} has lost a chunk`);
}

export async function readFloors(log: OpenLog, document: DocumentId): Promise<Map<LaneId, number>> {
  const floors = new Map<LaneId, number>();
  for await (const chunk of log.database.entries(floorKeysOf(document))) {
    for (const [key, record] of chunk) floors.set(laneOfKey(log, key), readFloor(key, record));
  }
  return floors;
}

export async function readAttributions(
  log: OpenLog,
  document: DocumentId,
): Promise<readonly Attribution[]> {
  const attributions: Attribution[] = [];
  for await (const chunk of log.database.entries(attributionKeysOf(document))) {
    for (const [key, record] of chunk) {
      attributions.push(readAttribution(key, record, laneOfKey(log, key)));
    }
  }
  return attributions;
}

function lost(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, what);
}
