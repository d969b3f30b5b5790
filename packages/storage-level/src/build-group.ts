import { compareHlc, type DocumentId, type Logger, type VersionVector } from "@heddle/core";

import { encodeRuns, nextChain, putArrival } from "./arrival-record.ts";
import { placeEnvelope } from "./envelope-record.ts";
import { cleanOperations, dirtyOperations, positionOperations } from "./kept-vectors.ts";
import type { LogDatabase, Operation } from "./level-database.ts";
import type { OpenLog } from "./open-log.ts";
import { peerOperations } from "./peer-operations.ts";
import type { Parking, PreparedAppend } from "./prepare-append.ts";
import { feedOperations, pruneOperations } from "./prune-operations.ts";
import { documentKey } from "./record-keys.ts";
import {
  encodeParked,
  putHead,
  putMark,
  putRecord,
  readParkedRecord,
  type LogTail,
} from "./records.ts";

/** Groups between two marks: an open after a crash verifies no more than this again. */
export const groupsPerMark = 1024;

export interface GroupTools {
  readonly logger: Logger;
  readonly feedGroupsMax: number;
}

export interface Group {
  readonly operations: readonly Operation[];
  readonly tail: LogTail;
  /** Documents of which nothing is on disk before this group. */
  readonly created: readonly DocumentId[];
  /** Documents that this group makes dirty, or leaves so. */
  readonly dirtied: readonly DocumentId[];
  /** Documents that are clean once it is on disk. */
  readonly cleaned: readonly DocumentId[];
}

/**
 * The one batch that writes all of `appends`, in their order (STO-2). Changes nothing but the records
 * of the envelopes, which are told their place.
 */
export async function buildGroup(
  log: OpenLog,
  appends: readonly PreparedAppend[],
  { logger, feedGroupsMax }: GroupTools,
): Promise<Group> {
  const tail = tailAfter(log, appends);
  placeEnvelopes(appends, tail.next.number);
  const operations = appends.flatMap(({ puts }) => puts);
  const parking = appends.flatMap(({ parking }) => parking);
  operations.push(...(await parkingOperations(log, parking, tail.next.number, logger)));
  const created = await createdBy(log, appends);
  const { vectors, isDirty } = lastWordOn(appends, created.length > 0 ? undefined : log.dirty);
  for (const document of created) {
    if (!isDirty.has(document)) operations.push(...cleanOperations(log, document, new Map()));
  }
  for (const [document, vector] of vectors) {
    operations.push(...(await positionOperations(log, document, vector, logger)));
  }
  for (const [document, dirty] of isDirty) {
    if (!dirty) operations.push(...cleanOperations(log, document, vectors.get(document)!));
    else if (!log.dirty.has(document)) operations.push(...dirtyOperations(document));
  }
  const prunes = appends.flatMap((append) => append.prunes);
  for (const prune of prunes) operations.push(...(await pruneOperations(log, prune)));
  if (prunes.length > 0) {
    operations.push(...(await feedOperations(log, prunes, tail.next, feedGroupsMax)));
  }
  const peers = appends.flatMap((append) => append.peers);
  // One by one: a peer that is forgotten may have had hundreds of thousands of acknowledgements.
  for (const operation of await peerOperations(log.database, peers)) operations.push(operation);
  operations.push(...tail.operations);
  const documents = [...isDirty.keys()];
  return {
    operations,
    tail: tail.next,
    created,
    dirtied: documents.filter((document) => isDirty.get(document)),
    cleaned: documents.filter((document) => !isDirty.get(document)),
  };
}

/** By index: this runs once a group, and V8 allocates for each step of an iterator that it has not compiled. */
function placeEnvelopes(appends: readonly PreparedAppend[], group: number): void {
  let place = 0;
  for (const { envelopes } of appends) {
    for (let index = 0; index < envelopes.length; index++) {
      placeEnvelope(envelopes[index]!, group, place++);
    }
  }
}

function tailAfter(
  { tail: before, hash }: OpenLog,
  appends: readonly PreparedAppend[],
): { next: LogTail; operations: Operation[] } {
  if (!appends.some((append) => append.isNumbered)) return { next: before, operations: [] };
  const runs = encodeRuns(appends.flatMap(({ arrived }) => arrived));
  const number = before.number + 1;
  const chain = nextChain(hash, before.chain, number, runs);
  let { lastHlc } = before;
  for (const append of appends) {
    if (append.lastHlc && compareHlc(append.lastHlc, lastHlc) > 0) lastHlc = append.lastHlc;
  }
  const next = { number, chain, lastHlc };
  const operations = [putArrival(number, { chain, runs }), putHead(next)];
  if (number % groupsPerMark === 0) operations.push(putMark(next));
  return { next, operations };
}

/**
 * The vector that each document keeps, and whether it is dirty after all of `appends`.
 *
 * @param dirty documents that are so already, and may be left out as long as none becomes clean: a
 * document in constant use costs one marker for its whole session.
 */
function lastWordOn(
  appends: readonly PreparedAppend[],
  dirty: ReadonlySet<DocumentId> | undefined,
): {
  vectors: Map<DocumentId, VersionVector>;
  isDirty: Map<DocumentId, boolean>;
} {
  const vectors = new Map<DocumentId, VersionVector>();
  const isDirty = new Map<DocumentId, boolean>();
  const noneIsCleaned = appends.every((append) => append.vectors.length === 0);
  for (const append of appends) {
    const { arrived } = append;
    for (let index = 0; index < arrived.length; index++) {
      const { document } = arrived[index]!;
      if (!(noneIsCleaned && dirty?.has(document))) isDirty.set(document, true);
    }
    for (const { document, vector } of append.vectors) {
      vectors.set(document, vector);
      isDirty.set(document, false);
    }
  }
  return { vectors, isDirty };
}

/** Documents that begin with these appends: clean, with nothing in their log. */
async function createdBy(
  { database }: OpenLog,
  appends: readonly PreparedAppend[],
): Promise<DocumentId[]> {
  const documents = [...new Set(appends.flatMap(({ documents }) => documents))];
  const isThere = await database.hasMany(documents.map((document) => documentKey(document)));
  return documents.filter((_document, index) => !isThere[index]);
}

/** An update that is parked already stays as it is, with its place in the order. */
async function parkingOperations(
  { database }: OpenLog,
  parking: readonly Parking[],
  arrival: number,
  logger: Logger,
): Promise<Operation[]> {
  const operations: Operation[] = [];
  const isParked = new Map<string, boolean>();
  for (const [index, { key, document, id, update }] of parking.entries()) {
    const name = `${document} ${id}`;
    if (update === undefined) {
      operations.push({ type: "del", key });
      isParked.set(name, false);
    } else if (!(isParked.get(name) ?? (await isSoundlyParked(database, key, logger)))) {
      operations.push(putRecord(key, encodeParked(update, { arrival, index })));
      isParked.set(name, true);
    }
  }
  return operations;
}

/** A damaged record counts as absent, because the good one is at hand to replace it. */
async function isSoundlyParked(
  database: LogDatabase,
  key: Uint8Array,
  logger: Logger,
): Promise<boolean> {
  try {
    const record = await database.get(key);
    return record !== undefined && readParkedRecord(key, record).order.arrival > 0;
  } catch (error) {
    logger.warn("store.record_replaced", { record: "parked", error: String(error) });
    return false;
  }
}
