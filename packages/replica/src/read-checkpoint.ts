import {
  decodeCheckpoint,
  decodeCheckpointVector,
  equalBytes,
  hashRecalls,
  HeddleError,
  HeddleErrorCode,
  isCheckpointWhole,
  isHeddleError,
  type CheckpointHeader,
  type CheckpointVector,
  type DocumentId,
  type Environment,
  type LaneId,
  type LogStore,
  type RecalledEnvelope,
  type StoredCheckpoint,
  type VersionVector,
} from "@heddle/core";
import { parseStored, type ParsedUpdate } from "@heddle/document";

import type { StateCache } from "./state-cache.ts";

/** A checkpoint whose records are what its header says; its state is still deflated. */
export interface VerifiedCheckpoint extends CheckpointVector {
  readonly number: number;
  readonly header: CheckpointHeader;
  readonly state: Uint8Array;
}

/** Where the reading of a document begins: a state, and the log above it. */
export interface LogBase extends Omit<VerifiedCheckpoint, "state"> {
  readonly state: ParsedUpdate;
}

/** What reading and proving a checkpoint needs. */
export interface CheckpointTools {
  readonly store: LogStore;
  readonly environment: Pick<Environment, "hash" | "compression" | "logger">;
}

/**
 * Compares a checkpoint with what its header says of it, byte for byte by hash (CKP-2).
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT`, or `HEDDLE_STORAGE_VERSION` for one of a newer heddle.
 */
export async function verifyCheckpoint(
  { store, environment: { hash } }: CheckpointTools,
  stored: StoredCheckpoint,
): Promise<VerifiedCheckpoint> {
  const { document, number } = stored;
  try {
    const header = decodeCheckpoint(hash, stored.header);
    const state = await store.readCheckpointState(document, number);
    const isWhole = isCheckpointWhole(hash, header, { vector: stored.vector, payload: state });
    if (!isWhole || header.document !== document) {
      throw corrupt(document, number, "it is not what its header says");
    }
    return { ...decodeCheckpointVector(stored.vector), number, header, state };
  } catch (cause) {
    if (isHeddleError(cause, HeddleErrorCode.frameMalformed)) {
      throw corrupt(document, number, "its header or vector cannot be read", cause);
    }
    if (isHeddleError(cause, HeddleErrorCode.protocolVersion)) {
      throw new HeddleError(HeddleErrorCode.storageVersion, cause.message, { cause });
    }
    throw cause;
  }
}

/**
 * The newest checkpoint of a document that can be used; `undefined` when there is none and the log is
 * whole. A damaged one is passed over where the log, or an older one, makes up for it.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when the log begins above a floor and no checkpoint
 * covers what is missing.
 */
export async function readCheckpoint(
  tools: CheckpointTools,
  document: DocumentId,
  recalls: readonly RecalledEnvelope[],
): Promise<VerifiedCheckpoint | undefined> {
  const { store, environment } = tools;
  const floors = await store.readFloors(document);
  let failure: unknown;
  try {
    for (const stored of await store.readCheckpoints(document)) {
      try {
        const checkpoint = await verifyCheckpoint(tools, stored);
        const covers = [...floors].every(([lane, floor]) => {
          return (checkpoint.vector.get(lane)?.seq ?? 0) >= floor;
        });
        const isSame = isBuiltUnder(tools, checkpoint, { floors, recalls });
        if (covers && isSame) return checkpoint;
        failure ??= corrupt(document, stored.number, "it was built under other recalls");
      } catch (error) {
        if (!isHeddleError(error)) throw error;
        failure ??= error;
      }
    }
  } catch (error) {
    // A damaged record among those of the headers hides them all.
    if (!isHeddleError(error)) throw error;
    failure ??= error;
  }
  if (failure === undefined && floors.size === 0) return undefined;
  if (floors.size > 0) {
    const message = `the log of document ${document} begins above a floor, and no checkpoint covers what is missing`;
    throw new HeddleError(HeddleErrorCode.storageCorrupt, message, { cause: failure });
  }
  environment.logger.warn("checkpoint.passed_over", { document, error: String(failure) });
  return undefined;
}

/**
 * Inflates and reads the state of a checkpoint.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT`.
 */
export async function openBase(
  { environment }: CheckpointTools,
  checkpoint: VerifiedCheckpoint,
  cache?: StateCache,
): Promise<LogBase> {
  const { header, number, state } = checkpoint;
  const { document, stateBytes } = header;
  const cached = cache?.get(document, number);
  try {
    const inflated = cached ?? (await environment.compression.inflateRaw(state, stateBytes));
    if (inflated.length !== stateBytes) throw new RangeError("it is shorter than its header says");
    if (!cached) cache?.set(document, number, inflated);
    return { ...checkpoint, state: parseStored(inflated) };
  } catch (cause) {
    throw corrupt(document, number, "its state cannot be read", cause);
  }
}

/** What stands below a checkpoint beside the log. */
export interface Ground {
  readonly floors: ReadonlyMap<LaneId, number>;
  readonly recalls: readonly RecalledEnvelope[];
}

/**
 * The recalls that concern what a vector covers, by name. One that came too late, for an envelope that
 * had been dropped by then, concerns nothing any more.
 */
export function hashCoveredRecalls(
  { environment: { hash } }: CheckpointTools,
  vector: VersionVector,
  { floors, recalls }: Ground,
): Uint8Array | undefined {
  const covered = recalls.filter(({ lane, seq }) => {
    return seq > (floors.get(lane) ?? 0) && seq <= (vector.get(lane)?.seq ?? 0);
  });
  return hashRecalls(
    hash,
    covered.map(({ id }) => id),
  );
}

/** Whether a checkpoint leaves out what recalls say by now, and no more. */
export function isBuiltUnder(
  tools: CheckpointTools,
  { vector, header: { recallsHash } }: Pick<VerifiedCheckpoint, "vector" | "header">,
  ground: Ground,
): boolean {
  const now = hashCoveredRecalls(tools, vector, ground);
  return now && recallsHash ? equalBytes(now, recallsHash) : now === recallsHash;
}

function corrupt(document: DocumentId, number: number, why: string, cause?: unknown): HeddleError {
  const message = `checkpoint ${number} of document ${document} is damaged: ${why}`;
  return new HeddleError(HeddleErrorCode.storageCorrupt, message, { cause });
}
