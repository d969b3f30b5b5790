import {
  HeddleErrorCode,
  isHeddleError,
  type DocumentId,
  type Envelope,
  type LogMend,
} from "@heddle/core";

import { decodeRuns, readArrival } from "./arrival-record.ts";
import { putFloor, readFloor } from "./attribution-records.ts";
import {
  comparePlaces,
  placeEnvelope,
  readEnvelope,
  reserveEnvelope,
  type ArrivalPlace,
} from "./envelope-record.ts";
import { chunkKeysOfCheckpoint } from "./key-ranges.ts";
import type { Operation } from "./level-database.ts";
import type { OpenLog } from "./open-log.ts";
import { numberOfKey } from "./parts-of-key.ts";
import { readable } from "./readable.ts";
import { arrivalKey, checkpointKey, documentKey, envelopeKey, floorKey } from "./record-keys.ts";
import { putDocument, readDocumentEntry } from "./records.ts";

/** Puts records of `mend` where whole ones are missing. */
export async function mendOperations(log: OpenLog, mend: LogMend): Promise<Operation[]> {
  const operations: Operation[] = [];
  if (mend.entry) {
    const key = documentKey(mend.document);
    const isGone = !(await log.database.hasMany([key]))[0];
    if (isGone || (await cannotRead(log, key, (record) => readDocumentEntry(key, record))))
      operations.push(putDocument(mend.entry));
  }
  for (const [lane, floor] of mend.floors ?? []) {
    const laneIx = log.lanes.ixOf(lane)!;
    const key = floorKey(mend.document, laneIx);
    const isDamaged = await cannotRead(log, key, (record) => readFloor(key, record));
    if (isDamaged) operations.push(putFloor(mend.document, laneIx, floor));
  }
  for (const run of runsOf(mend.envelopes ?? [])) {
    operations.push(...(await mendRun(log, mend.document, run)));
  }
  for (const number of mend.checkpoints ?? []) {
    operations.push({ type: "del", key: checkpointKey(mend.document, number) });
    const range = chunkKeysOfCheckpoint(mend.document, number);
    for await (const chunk of log.database.entries(range)) {
      for (const [key] of chunk) operations.push({ type: "del", key });
    }
  }
  return operations;
}

/** Whether there is such a record, and it is damaged: what a later heddle wrote is whole, and not to be written over. */
async function cannotRead(
  { database }: OpenLog,
  key: Uint8Array,
  read: (record: Uint8Array) => unknown,
): Promise<boolean> {
  const record = await database.get(key);
  if (record === undefined) return false;
  try {
    read(record);
    return false;
  } catch (error) {
    if (!isHeddleError(error, HeddleErrorCode.storageCorrupt)) throw error;
    return true;
  }
}

/** Stretches of one lane without gaps, in the order of lanes and seqs. */
function runsOf(envelopes: readonly Envelope[]): Envelope[][] {
  const runs: Envelope[][] = [];
  const sorted = envelopes.toSorted((a, b) => {
    return a.lane === b.lane ? a.seq - b.seq : a.lane < b.lane ? -1 : 1;
  });
  for (const envelope of sorted) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run && last?.lane === envelope.lane && last.seq + 1 === envelope.seq) run.push(envelope);
    else runs.push([envelope]);
  }
  return runs;
}

async function mendRun(
  log: OpenLog,
  document: DocumentId,
  run: readonly Envelope[],
): Promise<Operation[]> {
  const laneIx = log.lanes.ixOf(run[0]!.lane)!;
  const missing: Envelope[] = [];
  for (const envelope of run) {
    const held = await recordAt(log, document, laneIx, envelope.seq);
    if (!held) missing.push(envelope);
  }
  if (missing.length === 0) return [];
  const [first, last] = [missing[0]!.seq, missing.at(-1)!.seq];
  const below = await recordAt(log, document, laneIx, first - 1);
  const above = await recordAt(log, document, laneIx, last + 1);
  const openedAfter = log.lanes.openedAfter(laneIx);
  const from = below?.place ?? { group: openedAfter, index: 0 };
  const to = above?.place ?? { group: log.tail.number, index: 2 ** 32 - 1 };
  const places = await placesIn(log, { document, laneIx, from: from.group, to: to.group });
  let before = from;
  return missing.map((envelope) => {
    // Where the feed has forgotten the group, it stands right behind the one before it in its lane.
    const found = places.get(envelope.seq);
    const isBetween = found && comparePlaces(before, found) < 0 && comparePlaces(found, to) < 0;
    before = isBetween ? found : { group: before.group, index: before.index + 1 };
    const { bytes, seq } = envelope;
    const reserved = reserveEnvelope(envelopeKey(document, laneIx, seq), bytes);
    placeEnvelope(reserved, before.group, before.index);
    return reserved;
  });
}

async function recordAt(
  { database }: OpenLog,
  document: DocumentId,
  laneIx: number,
  seq: number,
): Promise<ReturnType<typeof readEnvelope> | undefined> {
  if (seq < 1) return undefined;
  const key = envelopeKey(document, laneIx, seq);
  const record = await database.get(key);
  return record && readable(() => readEnvelope(key, record));
}

interface Stretch {
  readonly document: DocumentId;
  readonly laneIx: number;
  /** Numbers of groups, inclusive. */
  readonly from: number;
  readonly to: number;
}

/** Where the change feed says that envelopes of a lane arrived, by seq. */
async function placesIn(
  { database }: OpenLog,
  { document, laneIx, from, to }: Stretch,
): Promise<ReadonlyMap<number, ArrivalPlace>> {
  const places = new Map<number, ArrivalPlace>();
  const range = { gte: arrivalKey(from), lt: arrivalKey(to + 1) };
  for await (const chunk of database.entries(range)) {
    for (const [key, record] of chunk) {
      const group = numberOfKey(key);
      const arrival = readable(() => readArrival(key, record));
      let index = 0;
      for (const run of arrival ? decodeRuns(arrival.runs) : []) {
        if (run.document === document && run.laneIx === laneIx) {
          for (let seq = run.fromSeq; seq <= run.toSeq; seq++) {
            places.set(seq, { group, index: index + seq - run.fromSeq });
          }
        }
        index += run.toSeq - run.fromSeq + 1;
      }
    }
  }
  return places;
}
