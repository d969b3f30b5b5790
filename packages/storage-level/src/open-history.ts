import {
  isHeddleError,
  type Environment,
  type Logger,
  type StoreId,
  type StoreRollback,
} from "@heddle/core";

import { readArrival } from "./arrival-record.ts";
import { assessRollback } from "./assess-rollback.ts";
import {
  putIncarnation,
  putJournalEntry,
  readIncarnation,
  type JournalEntry,
  type StoredIncarnation,
} from "./history-records.ts";
import type { LogDatabase, Operation } from "./level-database.ts";
import type { OpenLog } from "./open-log.ts";
import {
  arrivalKey,
  incarnationKeys,
  journalKeys,
  numberOfKey,
  openingOfKey,
} from "./record-keys.ts";
import { forgetAllPeers } from "./peer-operations.ts";
import { emptyTail, putMark } from "./records.ts";
import { readWitness, writeWitness, type Witness } from "./witness.ts";

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
  /** What else the journal should say about this opening. */
  readonly notes?: readonly JournalEntry[];
}

/** Compares the log with its witness, and writes this opening into both. */
export async function openHistory(
  folder: string,
  log: OpenLog,
  storeId: StoreId,
  { environment, isNew, notes = [] }: HistoryOpening,
): Promise<OpenedStoreHistory> {
  const { database, tail } = log;
  const { random, clock, logger } = environment;
  const rollback = isNew ? undefined : await findRollback(folder, log, storeId, logger);
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
      hasWitness: true,
      rollback: rollback?.reason,
    }),
    ...(tail.number === log.mark.number ? [] : [putMark(tail)]),
  ];
  for (const note of notes) operations.push(putJournalEntry({ ...note, number: ++journalNumber }));
  if (rollback) {
    const { reason, groupsLost } = rollback;
    logger.error("store.rolled_back", { reason, groupsLost, lastArrival: tail.number });
    const event = reason === "restored" ? "store-restored" : "store-rolled-back";
    const detail = `${reason}: opened at group ${tail.number}, ${groupsLost} known to be lost`;
    operations.push(putJournalEntry({ number: ++journalNumber, event, atMs, detail }));
    // Before anything says that this opening knows of the rollback: a crash in between does it again.
    const forgotten = await forgetAllPeers(database);
    logger.warn("store.peers_forgotten", { records: forgotten });
  }
  await database.write(operations);
  const { number, chain } = tail;
  const witness = { storeId, incarnation, number, chain, writtenAtMs: atMs, restored: false };
  await writeWitness(folder, witness);
  return { incarnation, rollback, witness, journalNumber };
}

async function findRollback(
  folder: string,
  { database, tail }: OpenLog,
  storeId: StoreId,
  logger: Logger,
): Promise<StoreRollback | undefined> {
  const found = await readWitness(folder);
  if (found.found === "damaged") logger.error("store.witness_damaged", { why: found.why });
  const incarnations = await readableIncarnations(database, logger);
  const chainOf = (number: number): Promise<Uint8Array | undefined> => chainAt(database, number);
  return assessRollback(found, { storeId, tail, incarnations, chainOf });
}

async function readableIncarnations(
  database: LogDatabase,
  logger: Logger,
): Promise<StoredIncarnation[]> {
  const readable: StoredIncarnation[] = [];
  for await (const chunk of database.entries(incarnationKeys)) {
    for (const [key, record] of chunk) {
      try {
        readable.push(readIncarnation(key, record));
      } catch (error) {
        logger.error("store.record_damaged", { error: String(error) });
      }
    }
  }
  return readable;
}

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
