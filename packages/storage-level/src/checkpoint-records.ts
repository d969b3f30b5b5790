import type { Checkpoint, DocumentId } from "@heddle/core";

import type { Operation } from "./level-database.ts";
import { openRecord } from "./record-codec.ts";
import { decodeRecord, encodeFields } from "./record-fields.ts";
import { checkpointChunkKey, checkpointKey, ChunkKind } from "./record-keys.ts";
import { putRecord } from "./records.ts";

/**
 * A checkpoint is one record with its header and how many chunks it has, and the chunks: those of the
 * vector as they were given, the state cut into pieces. A piece is what a damaged bit costs.
 */
export interface CheckpointRecord {
  /** As `signCheckpoint` wrote it. */
  readonly header: Uint8Array;
  readonly vectorChunks: number;
  readonly stateChunks: number;
}

const CheckpointTag = { header: 1, vectorChunks: 2, stateChunks: 3 } as const;
const stateChunkBytes = 64 * 1024;
/** Far above what core takes; that a reader is told by core, with core's reasons. */
const headerBytesMax = 64 * 1024;

export function putCheckpoint({
  document,
  number,
  header,
  vector,
  state,
}: Checkpoint): Operation[] {
  const states: Operation[] = [];
  for (let offset = 0; offset < state.length; offset += stateChunkBytes) {
    const key = checkpointChunkKey(document, number, ChunkKind.state, states.length);
    states.push(putRecord(key, state.subarray(offset, offset + stateChunkBytes)));
  }
  const vectors = vector.map((chunk, index) => {
    return putRecord(checkpointChunkKey(document, number, ChunkKind.vector, index), chunk);
  });
  const fields = {
    [CheckpointTag.header]: header,
    [CheckpointTag.vectorChunks]: vectors.length,
    [CheckpointTag.stateChunks]: states.length,
  };
  return [putRecord(checkpointKey(document, number), encodeFields(fields)), ...vectors, ...states];
}

export function readCheckpointRecord(key: Uint8Array, record: Uint8Array): CheckpointRecord {
  return decodeRecord(key, record, CheckpointTag, (fields) => ({
    header: fields.optionalBytes(CheckpointTag.header, headerBytesMax) ?? new Uint8Array(),
    vectorChunks: fields.uint(CheckpointTag.vectorChunks),
    stateChunks: fields.uint(CheckpointTag.stateChunks),
  }));
}

export function readChunk(key: Uint8Array, record: Uint8Array): Uint8Array {
  return openRecord(key, record);
}

/** The end of all records of a checkpoint, key by key. */
export function deleteCheckpoint(
  document: DocumentId,
  number: number,
  { vectorChunks, stateChunks }: CheckpointRecord,
): Operation[] {
  const keys = [checkpointKey(document, number)];
  for (let index = 0; index < vectorChunks; index++) {
    keys.push(checkpointChunkKey(document, number, ChunkKind.vector, index));
  }
  for (let index = 0; index < stateChunks; index++) {
    keys.push(checkpointChunkKey(document, number, ChunkKind.state, index));
  }
  return keys.map((key) => ({ type: "del", key }));
}
