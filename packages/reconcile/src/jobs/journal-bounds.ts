import { decodeAuditEntry } from "../audit-entry.ts";
import { projectionLimits } from "../projection-limits.ts";
import type { ProjectionStore } from "../projection-store.ts";
import { lastAuditNumber } from "./drift-journal.ts";
import { readOr } from "./read-or.ts";

/** How much of the journal of a store is kept: whichever bound is reached first. */
export interface JournalBounds {
  /** Entries, from 1. */
  readonly countMax: number;
  readonly ageMsMax: number;
}

export const journalBounds: JournalBounds = {
  countMax: projectionLimits.auditEntriesMax,
  ageMsMax: projectionLimits.auditEntryMsMax,
};

/** First and last number of the journal; both 0 where it is empty. */
export interface JournalExtent {
  readonly first: number;
  readonly last: number;
}

/** @throws HeddleError `HEDDLE_STORAGE_*`. */
export async function readJournalExtent(store: ProjectionStore): Promise<JournalExtent> {
  const [oldest] = await store.readAudit(0, 1);
  return { first: oldest?.number ?? 0, last: await lastAuditNumber(store) };
}

/** Entries that were trimmed ever: numbers begin at 1 and have no gaps. */
export function trimmedEntries({ first }: JournalExtent): number {
  return Math.max(0, first - 1);
}

/** Entries that one look takes away at most, so that it is bounded; the next one goes on. */
const lookEntriesMax = 10_000;

/**
 * Takes the oldest entries away that are too many or too old. The newest one stays whatever its age, as numbers go on
 * from it. An entry that cannot be read goes with those behind it.
 *
 * @returns what is left.
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function trimJournal(
  store: ProjectionStore,
  { countMax, ageMsMax }: JournalBounds,
  nowMs: number,
): Promise<JournalExtent> {
  const extent = await readJournalExtent(store);
  const { first, last } = extent;
  const tooMany = last - countMax;
  const tooOld = await lastBefore(store, first - 1, nowMs - ageMsMax);
  const upTo = Math.min(Math.max(tooMany, tooOld), first - 1 + lookEntriesMax);
  if (upTo < first) return extent;
  await store.apply({ trimAudit: upTo });
  return readJournalExtent(store);
}

/** Number of the last entry, of those that one look takes, that was written before a time. */
async function lastBefore(store: ProjectionStore, after: number, timeMs: number): Promise<number> {
  let old = after;
  for (let at = after; at < after + lookEntriesMax;) {
    const page = await store.readAudit(at, projectionLimits.pageEntriesMax);
    if (page.length === 0) return old;
    for (const { number, value } of page) {
      const entry = readOr(value, decodeAuditEntry);
      if (entry !== undefined && entry.atMs >= timeMs) return old;
      if (entry !== undefined) old = number;
    }
    at = page.at(-1)!.number;
  }
  return old;
}
