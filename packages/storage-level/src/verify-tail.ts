import { equalBytes, HeddleError, HeddleErrorCode, type Hash, type Logger } from "@heddle/core";

import { decodeRuns, nextChain, readArrival } from "./arrival-record.ts";
import type { LogDatabase } from "./level-database.ts";
import {
  arrivalKey,
  arrivalKeys,
  envelopeKey,
  headKey,
  markKey,
  numberOfKey,
} from "./record-keys.ts";
import { emptyTail, readHead, readMark, type LogMark, type LogTail } from "./records.ts";

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
    const runEnds: Uint8Array[] = [];
    for (const [key, record] of chunk) {
      if (numberOfKey(key) !== number + 1) throw lost(number + 1, "is missing");
      number++;
      const { chain: written, runs } = readArrival(key, record);
      chain = nextChain(tools.hash, chain, number, runs);
      if (!equalBytes(chain, written)) throw lost(number, "does not follow from the one before");
      for (const run of decodeRuns(runs)) {
        runEnds.push(envelopeKey(run.document, run.laneIx, run.toSeq));
      }
    }
    const present = await database.hasMany(runEnds);
    if (present.includes(false)) throw lost(number, "or one shortly before it lost an envelope");
  }
  if (head.number !== number || !equalBytes(head.chain, chain)) {
    throw lost(number, `is the last one, but the head names ${head.number}`);
  }
  return { tail: head, mark, verified: number - mark.number };
}

/** The mark only saves work: when it is damaged, everything is verified. */
async function markOf(database: LogDatabase, logger: Logger): Promise<LogMark> {
  const record = await database.get(markKey);
  try {
    return record ? readMark(record) : emptyTail;
  } catch (error) {
    logger.warn("store.mark_damaged", { error: String(error) });
    return emptyTail;
  }
}

async function checkMark(database: LogDatabase, { number, chain }: LogMark): Promise<void> {
  if (number === 0) return;
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
