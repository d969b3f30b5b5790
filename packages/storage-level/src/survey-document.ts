import {
  isHeddleError,
  type DocumentId,
  type DocumentSurvey,
  type LaneId,
  type SeqRange,
  type SurveyedCheckpoint,
  type SurveyedLane,
} from "@heddle/core";

import { readFloor } from "./attribution-records.ts";
import { readEnvelope } from "./envelope-record.ts";
import { checkpointKeysOf, envelopeKeysOf, floorKeysOf, vectorKeysOf } from "./key-ranges.ts";
import { isWhole } from "./kept-vectors.ts";
import { readParked, readQuarantine, readRecalls } from "./log-reader.ts";
import type { OpenLog } from "./open-log.ts";
import {
  checkpointNumberOfKey,
  isVectorDigestKey,
  laneIxOfKey,
  numberOfKey,
} from "./parts-of-key.ts";
import { readCheckpoint, readCheckpointState } from "./read-checkpoints.ts";
import { readable } from "./readable.ts";
import { documentKey } from "./record-keys.ts";
import { readDocumentEntry, readPosition, readVectorDigest } from "./records.ts";

/** One lane while its envelopes go by. */
interface LaneWalk {
  /** Where its record is lost it moves to the first envelope. */
  floor: number;
  readonly isFloorLost: boolean;
  readonly kept: number;
  readonly holes: SeqRange[];
  damaged: number;
  /** The seq that comes next when nothing is missing. */
  expected: number;
  /** The highest key, whatever lies under it. */
  lastKey: number;
  /** The last envelope that is whole. */
  last?: Uint8Array;
}

/** Looks at all records of a document one by one; see `LogStore.surveyDocument`. */
export async function surveyDocument(
  log: OpenLog,
  document: DocumentId,
): Promise<DocumentSurvey | undefined> {
  const others: string[] = [];
  const key = documentKey(document);
  const record = await log.database.get(key);
  const entry = record && readable(() => readDocumentEntry(key, record));
  const kept = await keptOf(log, document);
  const floors = await floorsOf(log, document, others);
  const lanes = await lanesOf(log, document, { kept: kept.seqs, floors, others });
  const checkpoints = await checkpointsOf(log, document);
  if (!record && kept.isNone && lanes.length === 0 && checkpoints.length === 0) return undefined;
  for (const read of [readParked, readQuarantine, readRecalls]) {
    const failure = await failureOf(() => read(log, document));
    if (failure !== undefined) others.push(failure);
  }
  return { document, entry, lanes, checkpoints, isVectorLost: kept.isLost, others };
}

interface Kept {
  /** By alias. */
  readonly seqs: ReadonlyMap<number, number>;
  readonly isLost: boolean;
  readonly isNone: boolean;
}

/** Positions that can be read, whether or not others cannot. */
async function keptOf(log: OpenLog, document: DocumentId): Promise<Kept> {
  const seqs = new Map<number, number>();
  const vector = new Map<LaneId, ReturnType<typeof readPosition>>();
  let digest: Uint8Array | undefined;
  let isLost = false;
  let isNone = true;
  for await (const chunk of log.database.entries(vectorKeysOf(document))) {
    for (const [key, record] of chunk) {
      isNone = false;
      if (isVectorDigestKey(key)) digest = readable(() => readVectorDigest(key, record));
      else {
        const position = readable(() => readPosition(key, record));
        const lane = log.lanes.idOf(laneIxOfKey(key));
        if (position === undefined || lane === undefined) isLost = true;
        else {
          seqs.set(laneIxOfKey(key), position.seq);
          vector.set(lane, position);
        }
      }
    }
  }
  const isDirty = log.dirty.has(document);
  if (!isDirty && !isWhole(log, { vector, digest })) isLost = true;
  return { seqs, isLost, isNone };
}

async function floorsOf(
  { database }: OpenLog,
  document: DocumentId,
  others: string[],
): Promise<ReadonlyMap<number, number | undefined>> {
  const floors = new Map<number, number | undefined>();
  for await (const chunk of database.entries(floorKeysOf(document))) {
    for (const [key, record] of chunk) {
      const floor = readable(() => readFloor(key, record));
      if (floor === undefined) others.push(`the floor of a lane of document ${document}`);
      floors.set(laneIxOfKey(key), floor);
    }
  }
  return floors;
}

interface Named {
  readonly kept: ReadonlyMap<number, number>;
  /** `undefined` where the record is damaged. */
  readonly floors: ReadonlyMap<number, number | undefined>;
  readonly others: string[];
}

async function lanesOf(
  log: OpenLog,
  document: DocumentId,
  { kept, floors, others }: Named,
): Promise<SurveyedLane[]> {
  const walks = new Map<number, LaneWalk>();
  const walkOf = (laneIx: number): LaneWalk => {
    let walk = walks.get(laneIx);
    if (walk) return walk;
    const isFloorLost = floors.has(laneIx) && floors.get(laneIx) === undefined;
    const keptSeq = kept.get(laneIx) ?? 0;
    const floor = floors.get(laneIx) ?? (isFloorLost ? keptSeq : 0);
    const start = { floor, isFloorLost, kept: keptSeq, expected: floor + 1, lastKey: 0 };
    walk = { ...start, holes: [], damaged: 0 };
    walks.set(laneIx, walk);
    return walk;
  };
  for (const laneIx of [...floors.keys(), ...kept.keys()]) walkOf(laneIx);
  for await (const chunk of log.database.entries(envelopeKeysOf(document))) {
    for (const [key, record] of chunk) {
      const seq = numberOfKey(key);
      const walk = walkOf(laneIxOfKey(key));
      if (walk.isFloorLost && walk.lastKey === 0) {
        walk.floor = seq - 1;
        walk.expected = seq;
      }
      if (seq <= walk.floor) continue;
      walk.lastKey = seq;
      const envelope = readable(() => readEnvelope(key, record));
      if (envelope === undefined) {
        walk.damaged++;
        continue;
      }
      walk.last = envelope.bytes;
      if (seq > walk.expected) walk.holes.push({ fromSeq: walk.expected, toSeq: seq - 1 });
      walk.expected = seq + 1;
    }
  }
  const lanes: SurveyedLane[] = [];
  for (const [laneIx, walk] of [...walks].toSorted(([a], [b]) => a - b)) {
    const lane = log.lanes.idOf(laneIx);
    if (lane === undefined) {
      others.push(`lane ${laneIx} of document ${document}, whose descriptor is lost`);
      continue;
    }
    const lastSeq = Math.max(walk.kept, walk.floor, walk.lastKey);
    if (walk.expected <= lastSeq) walk.holes.push({ fromSeq: walk.expected, toSeq: lastSeq });
    const { floor, isFloorLost, holes, damaged, last } = walk;
    const lost = isFloorLost && ({ isFloorLost } as const);
    lanes.push({ lane, floor, ...lost, lastSeq, holes, damaged, ...(last && { last }) });
  }
  return lanes;
}

async function checkpointsOf(log: OpenLog, document: DocumentId): Promise<SurveyedCheckpoint[]> {
  const checkpoints: SurveyedCheckpoint[] = [];
  for await (const chunk of log.database.entries(checkpointKeysOf(document))) {
    for (const entry of chunk) {
      const number = checkpointNumberOfKey(entry[0]);
      const failure = await failureOf(async () => {
        await readCheckpoint(log, document, entry);
        await readCheckpointState(log, document, number);
      });
      checkpoints.push({ number, isWhole: failure === undefined });
    }
  }
  return checkpoints.toReversed();
}

/** What is wrong with what `read` reads; anything but damage is thrown. */
async function failureOf(read: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await read();
    return undefined;
  } catch (error) {
    if (!isHeddleError(error, "HEDDLE_STORAGE_CORRUPT")) throw error;
    return error.message;
  }
}
