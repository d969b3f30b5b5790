import {
  decodeCheckpoint,
  decodeCheckpointVector,
  isCheckpointWhole,
  isHeddleError,
  type Attribution,
  type Checkpoint,
  type CheckpointHeader,
  type DocumentId,
  type Hash,
  type LaneId,
  type VersionVector,
} from "@heddle/core";

import { readAttribution, readFloor } from "./attribution-records.ts";
import type { LaneAliases } from "./lane-aliases.ts";
import type { Entry, LogDatabase } from "./level-database.ts";
import { readable } from "./readable.ts";
import { readCheckpoint, readCheckpointState } from "./read-checkpoints.ts";
import type { KeyRange } from "./key-writer.ts";
import { attributionKeysOf, checkpointKeysOf, floorKeysOf, laneIxOfKey } from "./record-keys.ts";

/** What the log of a document that was pruned stands on. */
export interface SalvagedBase {
  readonly checkpoint: Checkpoint;
  readonly header: CheckpointHeader;
  /** What the checkpoint covers. */
  readonly vector: VersionVector;
  /** Lane → seq up to which envelopes were dropped. */
  readonly floors: ReadonlyMap<LaneId, number>;
  readonly attributions: readonly Attribution[];
}

export interface SalvagePlace {
  readonly database: LogDatabase;
  readonly hash: Hash;
  readonly lanes: LaneAliases;
}

/**
 * The newest checkpoint that is whole and covers all that was dropped, with what belongs to it. Nothing
 * where nothing was dropped, and where no such checkpoint is left.
 */
export async function readSalvagedBase(
  place: SalvagePlace,
  document: DocumentId,
): Promise<SalvagedBase | undefined> {
  const { database, lanes } = place;
  const floors = new Map<LaneId, number>();
  for (const [key, record] of await allOf(database, floorKeysOf(document))) {
    const lane = lanes.idOf(laneIxOfKey(key));
    const floor = readable(() => readFloor(key, record));
    if (lane !== undefined && floor !== undefined) floors.set(lane, floor);
  }
  if (floors.size === 0) return undefined;
  const attributions: Attribution[] = [];
  for (const [key, record] of await allOf(database, attributionKeysOf(document))) {
    const lane = lanes.idOf(laneIxOfKey(key));
    const attribution = lane && readable(() => readAttribution(key, record, lane));
    if (attribution) attributions.push(attribution);
  }
  for (const entry of (await allOf(database, checkpointKeysOf(document))).toReversed()) {
    const whole = await wholeCheckpoint(place, document, entry);
    const covers = [...floors].every(([lane, floor]) => {
      return (whole?.vector.get(lane)?.seq ?? 0) >= floor;
    });
    const isKnown = whole && [...whole.vector.keys()].every((lane) => lanes.has(lane));
    if (covers && isKnown) return { ...whole, floors, attributions };
  }
  return undefined;
}

async function wholeCheckpoint(
  { database, hash }: SalvagePlace,
  document: DocumentId,
  entry: Entry,
): Promise<Pick<SalvagedBase, "checkpoint" | "header" | "vector"> | undefined> {
  try {
    const stored = await readCheckpoint({ database }, document, entry);
    const state = await readCheckpointState({ database }, document, stored.number);
    const header = decodeCheckpoint(hash, stored.header);
    const parts = { vector: stored.vector, payload: state };
    if (header.document !== document || !isCheckpointWhole(hash, header, parts)) return undefined;
    const { vector } = decodeCheckpointVector(stored.vector);
    return { checkpoint: { ...stored, state }, header, vector };
  } catch (error) {
    // A chunk is lost, or a newer heddle wrote it: an older checkpoint may do.
    if (isHeddleError(error)) return undefined;
    throw error;
  }
}

async function allOf(database: LogDatabase, range: KeyRange): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const chunk of database.entries(range)) entries.push(...chunk);
  return entries;
}
