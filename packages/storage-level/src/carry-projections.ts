import type { Logger } from "@heddle/core";

import type { KeyRange } from "./key-writer.ts";
import type { LogDatabase, OpenDatabase } from "./level-database.ts";
import {
  auditKey,
  auditRange,
  numberOfAuditKey,
  recordRange,
  tokenRange,
} from "./projection-keys.ts";
import { openRecord } from "./record-codec.ts";

/** What no source says again: where sinks stand, what jobs were told, and tokens. */
const keptRanges: readonly KeyRange[] = [recordRange(["sink"]), recordRange(["job"]), tokenRange()];

/**
 * Copies what cannot be made again from a database that was set aside into the one in its place, as far as it can
 * be read: the journal, sinks, jobs and tokens. What cannot be read is logged, and stays in the folder.
 */
export async function carryProjections(
  aside: string,
  target: LogDatabase,
  { openDatabase, logger }: { readonly openDatabase: OpenDatabase; readonly logger: Logger },
): Promise<void> {
  let source: LogDatabase;
  try {
    source = await openDatabase(aside, { createIfMissing: false });
  } catch (error) {
    logger.error("projections.journal_lost", { error: String(error) });
    return;
  }
  try {
    let isWhole = await copyJournal(source, target);
    for (const range of keptRanges) isWhole = (await copyRange(source, target, range)) && isWhole;
    if (!isWhole) logger.error("projections.journal_lost", { error: "some of it cannot be read" });
  } finally {
    await source.close();
  }
}

/** @returns whether all of it could be read; up to where it could, it is copied. */
async function copyRange(
  source: LogDatabase,
  target: LogDatabase,
  range: KeyRange,
): Promise<boolean> {
  const chunks = source.entries(range)[Symbol.asyncIterator]();
  let isWhole = true;
  for (;;) {
    const next = await unlessUnreadable(chunks.next());
    if (next === undefined) return false;
    if (next.done === true) return isWhole;
    // Copied all the same: whoever reads it there is told that it is damaged.
    isWhole &&= next.value.every(([key, record]) => isRecord(key, record));
    await target.write(next.value.map(([key, value]) => ({ type: "put", key, value })));
  }
}

/** Behind what cannot be read, entries are asked for one by one: their keys are known. */
async function copyJournal(source: LogDatabase, target: LogDatabase): Promise<boolean> {
  const all = auditRange(0, Number.MAX_SAFE_INTEGER - 1);
  if (await copyRange(source, target, all)) return true;
  const last = await unlessUnreadable(source.lastKey(all));
  const copied = await target.lastKey(all);
  if (last === undefined) return false;
  for (let number = copied ? numberOfAuditKey(copied) + 1 : 1; ; number++) {
    const key = auditKey(number);
    const value = await unlessUnreadable(source.get(key));
    if (value !== undefined) await target.write([{ type: "put", key, value }]);
    if (number >= numberOfAuditKey(last)) return false;
  }
}

async function unlessUnreadable<Value>(reading: Promise<Value>): Promise<Value | undefined> {
  try {
    return await reading;
  } catch {
    return undefined; // Told once, when all that can be read is copied.
  }
}

function isRecord(key: Uint8Array, record: Uint8Array): boolean {
  try {
    openRecord(key, record);
    return true;
  } catch {
    return false; // Said by the answer.
  }
}
