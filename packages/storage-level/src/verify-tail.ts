import { equalBytes, HeddleError, HeddleErrorCode, type Hash, type Logger } from "@heddle/core";

import { decodeRuns, nextChain, readArrival, type StoredRun } from "./arrival-record.ts";
import type { LogDatabase } from "./level-database.ts";
import { arrivalKeys } from "./key-ranges.ts";
import { numberOfKey } from "./parts-of-key.ts";
import { arrivalKey, envelopeKey, feedFloorKey, headKey, markKey } from "./record-keys.ts";
import { readFloorOf } from "./read-floor.ts";
import {
  emptyTail,
  readFeedFloor,
  readHead,
  readMark,
  type LogMark,
  type LogTail,
} from "./records.ts";

export interface VerifiedTail {
  readonly tail: LogTail;
  readonly mark: LogMark;
  /** Commit groups above the mark, all of which are numbered and chained as they should be. */
  readonly verified: number;
}

/**
 * Walks the commit groups above the mark: numbers without gaps, each chained to the one before, the
 * last envelope of each run present, and the head record naming the last group (STO-7).
 *
 * @param known the last group that this process was told is on disk; without it the mark record.
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT`.
 */
export async function verifyTail(
  database: LogDatabase,
  tools: { readonly hash: Hash; readonly logger: Logger },
  known?: LogMark,
): Promise<VerifiedTail> {
  const headRecord = await database.get(headKey);
  const head = headRecord ? readHead(headRecord) : emptyTail;
  const mark = known ?? (await markOf(database, tools.logger));
  await checkMark(database, mark);
  let { number, chain } = mark;
  const range = { gte: arrivalKey(mark.number + 1), lt: arrivalKeys.lt };
  for await (const chunk of database.entries(range)) {
    const runEnds: StoredRun[] = [];
    for (const [key, record] of chunk) {
      if (numberOfKey(key) !== number + 1) throw lost(number + 1, "is missing");
      number++;
      const { chain: written, runs } = readArrival(key, record);
      chain = nextChain(tools.hash, chain, number, runs);
      if (!equalBytes(chain, written)) throw lost(number, "does not follow from the one before");
      runEnds.push(...decodeRuns(runs));
    }
    if (!(await areThere(database, runEnds))) {
      throw lost(number, "or one shortly before it lost an envelope");
    }
  }
  if (head.number !== number || !equalBytes(head.chain, chain)) {
    throw lost(number, `is the last one, but the head names ${head.number}`);
  }
  return { tail: head, mark, verified: number - mark.number };
}

/** The last envelope of each run, unless it was dropped below a checkpoint. */
async function areThere(database: LogDatabase, runs: readonly StoredRun[]): Promise<boolean> {
  const present = await database.hasMany(
    runs.map(({ document, laneIx, toSeq }) => envelopeKey(document, laneIx, toSeq)),
  );
  for (const [index, { document, laneIx, toSeq }] of runs.entries()) {
    if (!present[index] && (await readFloorOf(database, document, laneIx)) < toSeq) return false;
  }
  return true;
}

/** The mark only saves work: when it is damaged, everything that is left of the feed is verified. */
async function markOf(database: LogDatabase, logger: Logger): Promise<LogMark> {
  const record = await database.get(markKey);
  try {
    if (record) return readMark(record);
  } catch (error) {
    logger.warn("store.mark_damaged", { error: String(error) });
  }
  return readFeedFloorOf(database);
}

/** Where the change feed begins: behind this group, which is gone and vouches for the next one. */
export async function readFeedFloorOf(database: LogDatabase): Promise<LogMark> {
  const record = await database.get(feedFloorKey);
  return record ? readFeedFloor(record) : emptyTail;
}

async function checkMark(database: LogDatabase, { number, chain }: LogMark): Promise<void> {
  if (number === 0 || number === (await readFeedFloorOf(database)).number) return;
  const key = arrivalKey(number);
  const record = await database.get(key);
  if (!record) throw lost(number, "is missing");
  if (!equalBytes(readArrival(key, record).chain, chain)) {
    throw lost(number, "is not the one that was verified before");
  }
}

function lost(number: number, what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, `commit group ${number} ${what}`);
}
