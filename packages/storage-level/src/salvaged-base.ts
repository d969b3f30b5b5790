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
import type { Entry } from "./level-database.ts";
import type { SalvageDatabase } from "./salvage-database.ts";
import { readable } from "./readable.ts";
import { readCheckpoint, readCheckpointState } from "./read-checkpoints.ts";
import { attributionKeysOf, checkpointKeysOf, floorKeysOf } from "./key-ranges.ts";
import { laneIxOfKey } from "./parts-of-key.ts";

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
  readonly database: SalvageDatabase;
  readonly hash: Hash;
  readonly lanes: Pick<LaneAliases, "idOf">;
}

/** What says that envelopes were dropped on purpose. */
export type SalvagedGround = Pick<SalvagedBase, "floors" | "attributions">;

export async function readSalvagedGround(
  { database, lanes }: SalvagePlace,
  document: DocumentId,
): Promise<SalvagedGround> {
  const floors = new Map<LaneId, number>();
  for await (const [[key, record]] of database.entries(floorKeysOf(document))) {
    const lane = lanes.idOf(laneIxOfKey(key));
    const floor = readable(() => readFloor(key, record));
    if (lane !== undefined && floor !== undefined) floors.set(lane, floor);
  }
  const attributions: Attribution[] = [];
  for await (const [[key, record]] of database.entries(attributionKeysOf(document))) {
    const lane = lanes.idOf(laneIxOfKey(key));
    const attribution = lane && readable(() => readAttribution(key, record, lane));
    if (attribution) attributions.push(attribution);
  }
  return { floors, attributions };
}

/** The checkpoints of a document that are whole and cover all that was dropped, newest first. */
export async function* salvagedBases(
  place: SalvagePlace,
  document: DocumentId,
  ground: SalvagedGround,
): AsyncIterable<SalvagedBase> {
  const entries: Entry[] = [];
  for await (const chunk of place.database.entries(checkpointKeysOf(document))) {
    entries.push(...chunk);
  }
  for (const entry of entries.toReversed()) {
    const whole = await wholeCheckpoint(place, document, entry);
    const covers = [...ground.floors].every(([lane, floor]) => {
      return (whole?.vector.get(lane)?.seq ?? 0) >= floor;
    });
    if (whole && covers) yield { ...whole, ...ground };
  }
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
