import {
  assert,
  ByteArena,
  compareHlc,
  decodeCheckpointVector,
  isNumbered,
  limits,
  type CheckpointAdoption,
  type DocumentId,
  type DocumentVector,
  type Hlc,
  type LogBatch,
  type LogMend,
  type LogPrune,
} from "@heddle/core";

import { headBytes, type Arrived } from "./arrival-record.ts";
import { putCheckpoint } from "./checkpoint-records.ts";
import { reserveEnvelope, type ReservedEnvelope } from "./envelope-record.ts";
import type { LaneAliases } from "./lane-aliases.ts";
import type { Operation } from "./level-database.ts";
import type { OpenLog } from "./open-log.ts";
import { peerChangesOf, type PeerChange } from "./peer-operations.ts";
import { branchBytes, deleteRefused, putFork, putRefused } from "./peer-records.ts";
import { envelopeKey, parkedKey, quarantineKey, recallKey } from "./record-keys.ts";
import { putDocument, putLane, putRecord, putUndescribedLane } from "./records.ts";
import { encodeQuarantined, encodeRecall } from "./refusal-records.ts";

/**
 * One append, turned into records at the moment of the call, so that the caller may reuse its bytes.
 * What depends on the group or on the disk is left to {@link buildGroup}.
 */
export interface PreparedAppend {
  readonly puts: readonly Operation[];
  readonly documents: readonly DocumentId[];
  readonly arrived: readonly Arrived[];
  /** Of `arrived`, one by one; they are among the puts and have no place yet. */
  readonly envelopes: readonly ReservedEnvelope[];
  readonly vectors: readonly DocumentVector[];
  readonly parking: readonly Parking[];
  readonly prunes: readonly LogPrune[];
  /** Their records are among the puts. */
  readonly mends: readonly LogMend[];
  /** Cursors and acknowledgements of peers. */
  readonly peers: readonly PeerChange[];
  readonly isNumbered: boolean;
  readonly lastHlc: Hlc | undefined;
  readonly bytes: number;
}

/** A change to the parked updates; `update` is missing when one is released. */
export interface Parking {
  readonly key: Uint8Array;
  readonly document: DocumentId;
  readonly id: string;
  readonly update?: NonNullable<LogBatch["park"]>[number]["update"];
}

/**
 * Gives new lanes their aliases; everything that could be refused is checked before that.
 *
 * @param mended what `batch.mend` writes, which took looks at the disk.
 */
export function prepareAppend(
  batch: LogBatch,
  { lanes, tail, audit }: Pick<OpenLog, "lanes" | "tail" | "audit">,
  mended: readonly Operation[] = [],
): PreparedAppend {
  assertSound(batch, lanes);
  const puts: Operation[] = [...mended];
  const arrived: Arrived[] = [];
  const envelopes: ReservedEnvelope[] = [];
  let lastHlc: Hlc | undefined;
  for (const lane of batch.lanes ?? []) {
    if (lanes.isDescribed(lane.id)) continue;
    const openedAfter = tail.number;
    const laneIx = lanes.ixOf(lane.id) ?? lanes.add(lane.id, openedAfter);
    lanes.describe(lane.id);
    puts.push(...putLane({ laneIx, openedAfter: lanes.openedAfter(laneIx) }, lane));
  }
  for (const entry of batch.documents ?? []) puts.push(putDocument(entry));
  const sealed = batch.envelopes ?? [];
  // By index: see `placeEnvelopes`.
  for (let index = 0; index < sealed.length; index++) {
    const { document, lane, seq, id, hlc, bytes } = sealed[index]!;
    const laneIx = lanes.ixOf(lane)!;
    envelopes.push(reserveEnvelope(envelopeKey(document, laneIx, seq), bytes));
    arrived.push({ document, lane, laneIx, seq, head: headOf(id) });
    if (!lastHlc || compareHlc(hlc, lastHlc) > 0) lastHlc = hlc;
  }
  puts.push(...envelopes, ...refusalsOf(batch));
  for (const checkpoint of batch.checkpoints ?? []) puts.push(...putCheckpoint(checkpoint));
  for (const adoption of batch.adopt ?? []) {
    puts.push(...coveredLanes(adoption, lanes, tail), ...putCheckpoint(adoption.checkpoint));
    // One by one: a document may have had more lanes than a call takes arguments.
    for (const end of adoptedEnds(adoption, lanes)) arrived.push(end);
  }
  puts.push(...(batch.accept ?? []).map(deleteRefused), ...(batch.refused ?? []).map(putRefused));
  puts.push(...(batch.forks ?? []).map(putFork), ...audit.add(batch.audit ?? []));
  const parking = parkingOf(batch);
  return {
    puts,
    documents: (batch.documents ?? []).map(({ id }) => id),
    arrived,
    envelopes,
    vectors: (batch.vectors ?? []).map(copyOfVector),
    parking,
    prunes: [...(batch.prune ?? []), ...(batch.adopt ?? [])],
    mends: batch.mend ?? [],
    peers: peerChangesOf(batch, lanes),
    isNumbered: isNumbered(batch),
    lastHlc,
    bytes: bytesOf(puts, parking),
  };
}

/** Records that are no part of the log: they join a group and do not number it. */
export function prepareNotes(puts: readonly Operation[]): PreparedAppend {
  const nothing = {
    documents: [],
    arrived: [],
    envelopes: [],
    vectors: [],
    parking: [],
    prunes: [],
    mends: [],
    peers: [],
  };
  return { puts, ...nothing, isNumbered: false, lastHlc: undefined, bytes: bytesOf(puts, []) };
}

function assertSound(batch: LogBatch, lanes: LaneAliases): void {
  assert(
    Object.values(batch).some((part) => part && part.length > 0),
    "a batch has a part",
  );
  const opened = new Set(batch.lanes?.map((lane) => lane.id));
  const { envelopes = [] } = batch;
  for (let index = 0; index < envelopes.length; index++) {
    const { lane, seq } = envelopes[index]!;
    const isKnown = lanes.isDescribed(lane) || opened.has(lane);
    assert(isKnown, "a lane is known before its first envelope");
    assert(seq >= 1, "sequences start at 1");
  }
  for (const { vector } of batch.vectors ?? []) {
    for (const lane of vector.keys()) {
      assert(lanes.has(lane) || opened.has(lane), "a lane is known before its position is kept");
    }
  }
  for (const { lane } of batch.acks ?? []) {
    assert(lanes.has(lane) || opened.has(lane), "a lane is known before it is acknowledged");
  }
  for (const { document, entry, envelopes = [] } of batch.mend ?? []) {
    assert(entry === undefined || entry.id === document, "what is mended is of its document");
    for (const { lane } of envelopes) assert(lanes.has(lane), "what is mended has a lane");
  }
  for (const fork of batch.forks ?? []) {
    assert(branchBytes(fork) <= limits.forkBytesMax, "the branches of a fork are within their cap");
  }
  const adopted = (batch.adopt ?? []).map(({ checkpoint }) => checkpoint);
  for (const { number } of [...(batch.checkpoints ?? []), ...adopted]) {
    assert(number >= 1 && number < 2 ** 32, "checkpoints are numbered from 1");
  }
}

/** Gives lanes of which nothing but their end is known their aliases. */
function coveredLanes(
  { floors }: CheckpointAdoption,
  lanes: LaneAliases,
  { number: openedAfter }: OpenLog["tail"],
): Operation[] {
  const puts: Operation[] = [];
  for (const lane of floors.keys()) {
    if (lanes.has(lane)) continue;
    const laneIx = lanes.add(lane, openedAfter);
    lanes.describe(lane, false);
    for (const put of putUndescribedLane({ laneIx, openedAfter }, lane)) puts.push(put);
  }
  return puts;
}

/** What the change feed says of an adoption: the last envelope that it stands for, of each lane. */
function adoptedEnds({ document, floors, checkpoint }: CheckpointAdoption, lanes: LaneAliases) {
  const { vector } = decodeCheckpointVector(checkpoint.vector);
  return [...floors].map(([lane, seq]): Arrived => {
    const head = headOf(vector.get(lane)!.head);
    return { document, lane, laneIx: lanes.ixOf(lane)!, seq, head };
  });
}

function refusalsOf({ quarantine = [], recall = [] }: LogBatch): Operation[] {
  const updates = quarantine.map(({ document, update }) => {
    const key = quarantineKey(document, update.id);
    assert(key !== undefined, "the id of a quarantined update is 16 bytes in hex");
    return putRecord(key, encodeQuarantined(update));
  });
  const envelopes = recall.map(({ document, envelope }) => {
    const key = recallKey(document, envelope.id);
    assert(key !== undefined, "the id of a recalled envelope is 32 bytes in hex");
    return putRecord(key, encodeRecall(envelope));
  });
  return [...updates, ...envelopes];
}

/** Releases first: what one batch releases and parks is parked afterwards. */
function parkingOf({ park = [], release = [] }: LogBatch): Parking[] {
  const released = release.map(({ document, id }) => ({ key: keyOf(document, id), document, id }));
  const parked = park.map(({ document, update }) => {
    const { id, parkedAtMs, principal } = update;
    const copy = {
      id,
      parkedAtMs,
      update: copyOf(update.update),
      principal: principal && copyOf(principal),
    };
    return { key: keyOf(document, id), document, id, update: copy };
  });
  return [...released, ...parked];
}

function keyOf(document: DocumentId, id: string): Uint8Array {
  const key = parkedKey(document, id);
  assert(key !== undefined, "the id of a parked update is 16 bytes in hex");
  return key;
}

function copyOfVector({ document, vector }: DocumentVector): DocumentVector {
  const copies = [...vector].map(([lane, { seq, head }]) => {
    return [lane, { seq, head: copyOf(head) }] as const;
  });
  return { document, vector: new Map(copies) };
}

/** They live until their group is put together. */
const heads = new ByteArena();

function headOf(id: Uint8Array): Uint8Array {
  const head = heads.take(headBytes);
  for (let index = 0; index < headBytes; index++) head[index] = id[index]!;
  return head;
}

/** Not `slice()`: of a Buffer that would be the same memory. */
function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function bytesOf(puts: readonly Operation[], parking: readonly Parking[]): number {
  let bytes = 0;
  for (let index = 0; index < puts.length; index++) {
    const put = puts[index]!;
    if (put.type === "put") bytes += put.value.length;
  }
  for (const { update } of parking) bytes += update?.update.length ?? 0;
  return bytes;
}
