import {
  equalBytes,
  isHeddleError,
  type Environment,
  type Logger,
  type StoreId,
  type StoreRollback,
} from "@heddle/core";

import { readArrival } from "./arrival-record.ts";
import { assessRollback, type OpenedHistory } from "./assess-rollback.ts";
import {
  putIncarnation,
  putJournalEntry,
  readIncarnation,
  type JournalEntry,
  type StoredIncarnation,
} from "./history-records.ts";
import type { FolderCheck } from "./folder-check.ts";
import type { LogDatabase, Operation } from "./level-database.ts";
import type { OpenLog } from "./open-log.ts";
import { incarnationKeys, journalKeys } from "./key-ranges.ts";
import { numberOfKey, openingOfKey } from "./parts-of-key.ts";
import { arrivalKey } from "./record-keys.ts";
import { forgetAllPeers } from "./peer-operations.ts";
import { readable } from "./readable.ts";
import { emptyTail, putMark } from "./records.ts";
import { turnBackBit } from "./turn-back-bit.ts";
import type { DroppedLog, Witness, WitnessPlace } from "./witness-record.ts";

export interface OpenedStoreHistory {
  /** Nonce of this opening. */
  readonly incarnation: Uint8Array;
  readonly rollback: StoreRollback | undefined;
  /** As it is on disk now. */
  readonly witness: Witness;
  /** Of the last entry. */
  readonly journalNumber: number;
}

export interface HistoryOpening {
  readonly environment: Environment;
  /** The store is being made: there is nothing to compare with. */
  readonly isNew: boolean;
  /** What was found before the log was opened. */
  readonly check: FolderCheck;
}

/** Compares the log with its witness, and writes this opening into both. */
export async function openHistory(
  place: WitnessPlace,
  log: OpenLog,
  storeId: StoreId,
  { environment, isNew, check }: HistoryOpening,
): Promise<OpenedStoreHistory> {
  const { database, tail } = log;
  const { random, clock, logger } = environment;
  const found = await findRollback(place, log, storeId, { isNew, check, logger });
  const rollback = found.rollback ?? found.untold;
  const atMs = clock.nowMs();
  const incarnation = random.bytes(16);
  const lastOpening = await database.lastKey(incarnationKeys);
  const lastEntry = await database.lastKey(journalKeys);
  let journalNumber = lastEntry ? numberOfKey(lastEntry) : 0;
  const opening = lastOpening ? openingOfKey(lastOpening) + 1 : 1;
  const operations: Operation[] = [
    putIncarnation({
      opening,
      nonce: incarnation,
      firstArrival: tail.number + 1,
      openedAtMs: atMs,
      hasWitness: place.isKept,
      rollback: found.rollback?.reason,
    }),
    ...(tail.number === log.mark.number ? [] : [putMark(tail)]),
  ];
  for (const note of notesOf(found.dropping, check, atMs))
    operations.push(putJournalEntry({ ...note, number: ++journalNumber }));
  if (rollback) {
    const { reason, groupsLost } = rollback;
    logger.error("store.rolled_back", { reason, groupsLost, lastArrival: tail.number });
  }
  if (found.rollback) {
    const { reason, groupsLost } = found.rollback;
    const event = reason === "restored" ? "store-restored" : "store-rolled-back";
    const detail = `${reason}: opened at group ${tail.number}, ${groupsLost} known to be lost`;
    operations.push(putJournalEntry({ number: ++journalNumber, event, atMs, detail }));
    // Before anything says that this opening knows of the rollback: a crash in between does it again.
    const forgotten = await forgetAllPeers(database);
    logger.warn("store.peers_forgotten", { records: forgotten });
  }
  await database.write(operations);
  const { number, chain } = tail;
  const position = { storeId, incarnation, number, chain };
  const witness = { ...position, writtenAtMs: atMs, restored: false, untold: rollback };
  await place.write(witness);
  return { incarnation, rollback, witness, journalNumber };
}

interface FoundRollback {
  readonly rollback?: StoreRollback | undefined;
  /** What an earlier opening found and could tell nobody. */
  readonly untold?: StoreRollback | undefined;
  /** What an earlier opening saw in a log, and did not come to say anywhere. */
  readonly dropping?: DroppedLog | undefined;
}

/** Of this opening, and of earlier ones that did not come to write theirs. */
function notesOf(
  dropped: DroppedLog | undefined,
  { notes }: FolderCheck,
  atMs: number,
): JournalEntry[] {
  const own = new Set(notes.map(({ detail }) => detail));
  const others = (dropped?.details ?? []).filter((detail) => !own.has(detail));
  return [
    ...others.map((detail): JournalEntry => ({ event: "log-set-aside", atMs, detail })),
    ...notes,
  ];
}

async function findRollback(
  place: WitnessPlace,
  { database, tail }: OpenLog,
  storeId: StoreId,
  { isNew, check, logger }: Pick<HistoryOpening, "isNew" | "check"> & { readonly logger: Logger },
): Promise<FoundRollback> {
  if (isNew) return {};
  const found = await place.read();
  if (found.found === "damaged") logger.error("store.witness_damaged", { why: found.why });
  const { untold, dropping, incarnation: named } = found.found === "whole" ? found.witness : {};
  const known = await readableIncarnations(database, logger, named);
  const chainOf = (number: number): Promise<Uint8Array | undefined> => chainAt(database, number);
  const hasUnreadable = known.hasUnreadable && place.isKept;
  const { incarnations } = known;
  const history = { storeId, tail, incarnations, hasUnreadable, chainOf, ...check };
  return { rollback: await assessRollback(found, history), untold, dropping };
}

/** @param named by the witness, which so proves a record of which one bit is flipped. */
async function readableIncarnations(
  database: LogDatabase,
  logger: Logger,
  named: Uint8Array | undefined,
): Promise<Pick<OpenedHistory, "incarnations" | "hasUnreadable">> {
  const incarnations: StoredIncarnation[] = [];
  let hasUnreadable = false;
  for await (const chunk of database.entries(incarnationKeys)) {
    for (const [key, record] of chunk) {
      try {
        incarnations.push(readIncarnation(key, record));
      } catch (error) {
        logger.error("store.record_damaged", { error: String(error) });
        const nonceIn = (tried: Uint8Array) => readable(() => readIncarnation(key, tried).nonce);
        const isNamed = (tried: Uint8Array) => equalBytes(nonceIn(tried) ?? none, named!);
        const proven = named && turnBackBit(key, record, isNamed);
        if (proven) incarnations.push(readIncarnation(key, proven));
        else hasUnreadable = true;
      }
    }
  }
  return { incarnations, hasUnreadable };
}

const none = new Uint8Array();

/** A group that is damaged or missing below the tail is for the verification to find, and no rollback. */
async function chainAt(database: LogDatabase, number: number): Promise<Uint8Array | undefined> {
  if (number === 0) return emptyTail.chain;
  const key = arrivalKey(number);
  const record = await database.get(key);
  try {
    return record && readArrival(key, record).chain;
  } catch (error) {
    if (isHeddleError(error)) return undefined;
    throw error;
  }
}
