import {
  equalBytes,
  HeddleErrorCode,
  isHeddleError,
  toHex,
  type Environment,
  type Hash,
  type StoreId,
} from "@heddle/core";

import { nextChain, readArrival } from "./arrival-record.ts";
import { putJournalEntry } from "./history-records.ts";
import { describeKey } from "./key-kinds.ts";
import { arrivalKeys, journalKeys, laneKeys } from "./key-ranges.ts";
import type { Entry, LogDatabase } from "./level-database.ts";
import type { OpenLog } from "./open-log.ts";
import { laneIxOfKey, numberOfKey } from "./parts-of-key.ts";
import { readable } from "./readable.ts";
import { isSealed } from "./record-codec.ts";
import { arrivalKey, feedFloorKey, headKey, markKey, storeKey } from "./record-keys.ts";
import {
  emptyTail,
  readFeedFloor,
  readHead,
  readLane,
  readMark,
  readStoreId,
  type LogMark,
} from "./records.ts";
import { turnBackBit } from "./turn-back-bit.ts";

type Tools = Pick<Environment, "hash" | "clock" | "logger">;

/**
 * Opens a log with `open`. Where that fails as a record is damaged that the opening itself needs, it is tried
 * once more after what can be proven was put right (ADR-0155).
 *
 * @throws what `open` throws.
 */
export async function openMended(
  open: () => Promise<OpenLog>,
  openDatabase: () => Promise<LogDatabase>,
  storeId: StoreId,
  tools: Tools,
): Promise<OpenLog> {
  try {
    return await open();
  } catch (error) {
    if (!isHeddleError(error, HeddleErrorCode.storageCorrupt)) throw error;
    const database = await openDatabase();
    const mended = await mendOwnRecords(database, storeId, tools).finally(() => database.close());
    if (mended === 0) throw error;
  }
  return await open();
}

/**
 * Turns back the flipped bit of records that keep a log from opening, where something else proves the result:
 *
 *   store id     the marker file has the same
 *   feed floor   the chain hash of the first group follows from it
 *   group        its own chain hash follows from the group before
 *   head         it names the last group, and its chain hash
 *
 * @returns how many there were; 0 where one of them cannot be proven, and nothing is changed.
 */
async function mendOwnRecords(
  database: LogDatabase,
  storeId: StoreId,
  tools: Tools,
): Promise<number> {
  const mended: Entry[] = [];
  let isLost = false;
  const look: Look = async (key, isProven, stored) => {
    const record = stored ?? (await database.get(key));
    if (record === undefined || isSealed(key, record)) return record;
    const proven = turnBackBit(key, record, isProven);
    if (proven) mended.push([key, proven]);
    else isLost = true;
    return proven;
  };
  const id = await look(storeKey, (record) => readable(() => readStoreId(record)) === storeId);
  // Of another store, or nobody can say of which: nothing of it is ours to change.
  if (id === undefined || readable(() => readStoreId(id)) !== storeId) return 0;
  const last = await lookAtGroups(database, look, tools.hash);
  if (last === undefined) return 0;
  await look(headKey, (record) => {
    const head = readable(() => readHead(record));
    return head?.number === last.number && equalBytes(head.chain, last.chain);
  });
  if (isLost) return 0;
  await writeMended(database, mended, tools);
  return mended.length;
}

type Look = (
  key: Uint8Array,
  isProven: (record: Uint8Array) => boolean,
  stored?: Uint8Array,
) => Promise<Uint8Array | undefined>;

/** The last group, when all from the mark on are there; `undefined` where one is lost for good. */
async function lookAtGroups(
  database: LogDatabase,
  look: Look,
  hash: Hash,
): Promise<LogMark | undefined> {
  const follows = (before: Uint8Array, [key, record]: Entry): boolean => {
    const group = readable(() => readArrival(key, record));
    return (
      !!group && equalBytes(nextChain(hash, before, numberOfKey(key), group.runs), group.chain)
    );
  };
  const floor = await floorOf(database, look, follows);
  if (floor === undefined) return undefined;
  const from = await markOf(database, floor);
  let last: LogMark | undefined = from.number > floor.number ? undefined : floor;
  if (last === undefined) {
    // What the group of the mark follows from is not looked at by the opening.
    const key = arrivalKey(from.number - 1);
    const record = await database.get(key);
    const before = record && readable(() => readArrival(key, record));
    if (from.number - 1 === floor.number) last = floor;
    else if (before) last = { number: from.number - 1, chain: before.chain };
  }
  if (last === undefined) return undefined;
  const range = { gte: arrivalKey(last.number + 1), lt: arrivalKeys.lt };
  for await (const chunk of database.entries(range)) {
    for (const [key, stored] of chunk) {
      const before: LogMark = last;
      const number: number = before.number + 1;
      if (numberOfKey(key) !== number) return undefined;
      const record = await look(key, (tried) => follows(before.chain, [key, tried]), stored);
      const group = record && readable(() => readArrival(key, record));
      if (group === undefined) return undefined;
      last = { number, chain: group.chain };
    }
  }
  return last;
}

/** Behind which group the change feed begins. */
async function floorOf(
  database: LogDatabase,
  look: Look,
  follows: (before: Uint8Array, group: Entry) => boolean,
): Promise<LogMark | undefined> {
  const first = await firstOf(database);
  const record = await look(feedFloorKey, (tried) => {
    const floor = readable(() => readFeedFloor(tried));
    const isNext = floor && first && numberOfKey(first[0]) === floor.number + 1;
    return !!isNext && follows(floor.chain, first);
  });
  if (record) return readable(() => readFeedFloor(record));
  return (await database.hasMany([feedFloorKey]))[0] ? undefined : emptyTail;
}

async function firstOf(database: LogDatabase): Promise<Entry | undefined> {
  for await (const [first] of database.entries(arrivalKeys)) return first;
  return undefined;
}

/** The group from which an opening begins: a mark that is damaged saves it no work. */
async function markOf(database: LogDatabase, floor: LogMark): Promise<LogMark> {
  const record = await database.get(markKey);
  const mark = record && readable(() => readMark(record));
  return mark && mark.number > floor.number ? mark : floor;
}

/** More damaged descriptors are no accident of a bit, and an opening has an end. */
const triesMax = 256;

/** As above, for descriptors of lanes: each hashes to the id of its lane, which has a record of its own. */
export async function mendLanes({ database, lanes, hash }: OpenLog, tools: Tools): Promise<void> {
  const mended: Entry[] = [];
  let tries = 0;
  for await (const chunk of database.entries(laneKeys)) {
    for (const [key, record] of chunk) {
      if (isSealed(key, record)) continue;
      const id = tries++ < triesMax ? lanes.idOf(laneIxOfKey(key)) : undefined;
      const proven =
        id &&
        turnBackBit(key, record, (tried) => readable(() => readLane(hash, key, tried))?.id === id);
      if (proven) mended.push([key, proven]);
      else tools.logger.error("store.record_damaged", { error: `${nameOf(key)} is damaged` });
    }
  }
  await writeMended(database, mended, tools);
}

/** One batch, with an entry in the journal for each. */
async function writeMended(
  database: LogDatabase,
  mended: readonly Entry[],
  { clock, logger }: Tools,
): Promise<void> {
  if (mended.length === 0) return;
  const lastKey = await database.lastKey(journalKeys);
  const before = lastKey ? numberOfKey(lastKey) : 0;
  const atMs = clock.nowMs();
  await database.write(
    mended.flatMap(([key, value], index) => {
      const detail = `one bit of ${nameOf(key)} was flipped, and is turned back`;
      logger.error("store.record_mended", { record: nameOf(key) });
      const number = before + index + 1;
      const entry = putJournalEntry({ number, event: "record-mended", atMs, detail });
      return [{ type: "put", key, value } as const, entry];
    }),
  );
}

function nameOf(key: Uint8Array): string {
  return `${describeKey(key)} (key ${toHex(key)})`;
}
