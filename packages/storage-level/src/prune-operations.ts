import {
  assert,
  decodeCheckpointVector,
  type CheckpointAdoption,
  type DocumentId,
  type LogPrune,
} from "@heddle/core";

import { decodeRuns, readArrival } from "./arrival-record.ts";
import { putAttribution, putFloor } from "./attribution-records.ts";
import { deleteCheckpoint, readCheckpointRecord } from "./checkpoint-records.ts";
import type { KeyRange } from "./key-writer.ts";
import type { Operation } from "./level-database.ts";
import type { OpenLog } from "./open-log.ts";
import { readCheckpoints, readFloors } from "./read-checkpoints.ts";
import { readFloorOf } from "./read-floor.ts";
import { arrivalKeys, checkpointKeysOf, envelopeKeysBetween } from "./key-ranges.ts";
import { checkpointNumberOfKey, numberOfKey } from "./parts-of-key.ts";
import { arrivalKey, attributionKey, envelopeKey } from "./record-keys.ts";
import { putFeedFloor, putMark, type LogMark, type LogTail } from "./records.ts";

/** Groups that the change feed keeps, whatever became of the envelopes that they list. */
export const feedGroupsMax = 16_384;
/** Groups that leave the feed with one batch. */
const feedGroupsPerBatch = 4_096;

/**
 * Refuses a prune that would reach above the newest checkpoint or below what was dropped before (I6).
 * Asked before anything is queued: what fails later would fence the store.
 */
export async function assertPrunable(log: OpenLog, prune: LogPrune): Promise<void> {
  const [newest] = await readCheckpoints(log, prune.document);
  assert(newest !== undefined, "a log is pruned below a checkpoint only");
  const { vector } = decodeCheckpointVector(newest.vector);
  const before = await readFloors(log, prune.document);
  for (const [lane, floor] of prune.floors) {
    assert(log.lanes.has(lane), "a lane is known before it is pruned");
    assert(floor >= (before.get(lane) ?? 0), "a floor never falls");
    assert(floor <= (vector.get(lane)?.seq ?? 0), "a floor is never above a checkpoint (I6)");
  }
}

/**
 * Refuses an adoption whose checkpoint would not become the newest, does not reach a floor, or is not
 * where its lanes begin then (I6).
 */
export async function assertAdoptable(
  log: OpenLog,
  { document, checkpoint, floors }: CheckpointAdoption,
): Promise<void> {
  const { vector } = decodeCheckpointVector(checkpoint.vector);
  const last = await log.database.lastKey(checkpointKeysOf(document));
  const newest = last ? checkpointNumberOfKey(last) : 0;
  assert(checkpoint.document === document, "a checkpoint is adopted by its own document");
  assert(checkpoint.number > newest, "what is adopted becomes the newest");
  for (const [lane, before] of await readFloors(log, document)) {
    assert((vector.get(lane)?.seq ?? 0) >= before, "a checkpoint reaches all floors (I6)");
  }
  for (const [lane, floor] of floors) {
    assert(floor === vector.get(lane)?.seq, "a lane begins above what is adopted");
  }
}

/** Deletes exactly the covered keys, one by one: a range could hold what no checkpoint covers. */
export async function pruneOperations(log: OpenLog, prune: LogPrune): Promise<Operation[]> {
  const { document, floors, checkpointsBelow = 0, forget = [], attributions = [] } = prune;
  const operations: Operation[] = [];
  for (const [lane, floor] of floors) {
    const laneIx = log.lanes.ixOf(lane)!;
    const before = await readFloorOf(log.database, document, laneIx);
    const end = await endBelow(log, envelopeKeysBetween(document, laneIx, before, floor));
    for (let seq = before + 1; seq <= end; seq++) {
      operations.push({ type: "del", key: envelopeKey(document, laneIx, seq) });
    }
    if (floor > before) operations.push(putFloor(document, laneIx, floor));
  }
  for (const { lane, fromSeq } of forget) {
    const laneIx = log.lanes.ixOf(lane)!;
    operations.push({ type: "del", key: attributionKey(document, laneIx, fromSeq) });
  }
  for (const attribution of attributions) {
    operations.push(putAttribution(document, log.lanes.ixOf(attribution.lane)!, attribution));
  }
  operations.push(...(await oldCheckpoints(log, document, checkpointsBelow)));
  return operations;
}

/** The last seq that is there: a checkpoint that was adopted covers what never came. 0 for none. */
async function endBelow({ database }: OpenLog, range: KeyRange): Promise<number> {
  const last = await database.lastKey(range);
  return last ? numberOfKey(last) : 0;
}

async function oldCheckpoints(
  { database }: OpenLog,
  document: DocumentId,
  below: number,
): Promise<Operation[]> {
  const operations: Operation[] = [];
  const last = await database.lastKey(checkpointKeysOf(document));
  if (!last) return operations;
  for await (const chunk of database.entries(checkpointKeysOf(document))) {
    for (const [key, record] of chunk) {
      const number = checkpointNumberOfKey(key);
      if (number >= below || number === checkpointNumberOfKey(last)) continue;
      operations.push(...deleteCheckpoint(document, number, readCheckpointRecord(key, record)));
    }
  }
  return operations;
}

/**
 * Shortens the change feed at its beginning: by groups of which nothing is left once `prunes` are
 * done, and by those that are older than it has to remember. The last group stays, and becomes the
 * mark: what lies below has been verified by this process or was written by it.
 */
export async function feedOperations(
  log: OpenLog,
  prunes: readonly LogPrune[],
  tail: LogTail,
  groupsMax: number,
): Promise<Operation[]> {
  const end = log.tail.number;
  const floors = new FloorsToBe(log, prunes);
  const operations: Operation[] = [];
  let floor: LogMark | undefined;
  const range = { gte: arrivalKeys.gte, lt: arrivalKey(end) };
  walk: for await (const chunk of log.database.entries(range)) {
    for (const [key, record] of chunk) {
      if (operations.length >= feedGroupsPerBatch) break walk;
      const number = numberOfKey(key);
      const { chain, runs } = readArrival(key, record);
      if (number > tail.number - groupsMax && !(await floors.cover(runs))) break walk;
      operations.push({ type: "del", key });
      floor = { number, chain };
    }
  }
  return floor ? [...operations, putFeedFloor(floor), putMark(log.tail)] : [];
}

/** Floors as they will be once a batch is written. */
class FloorsToBe {
  readonly #log: OpenLog;
  readonly #seqs = new Map<string, number>();

  constructor(log: OpenLog, prunes: readonly LogPrune[]) {
    this.#log = log;
    for (const { document, floors } of prunes) {
      for (const [lane, floor] of floors) {
        this.#seqs.set(`${document} ${log.lanes.ixOf(lane)}`, floor);
      }
    }
  }

  async cover(runs: Uint8Array): Promise<boolean> {
    for (const { document, laneIx, toSeq } of decodeRuns(runs)) {
      const name = `${document} ${laneIx}`;
      let floor = this.#seqs.get(name);
      if (floor === undefined) {
        floor = await readFloorOf(this.#log.database, document, laneIx);
        this.#seqs.set(name, floor);
      }
      if (floor < toSeq) return false;
    }
    return true;
  }
}
