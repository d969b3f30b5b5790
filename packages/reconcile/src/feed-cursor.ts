import type { StoreId } from "@heddle/core";

import type { FeedCursor } from "./projection-records.ts";
import type { FeedDescription, FeedGroup } from "./projection-source.ts";

/** Whether a place means today what it meant when it was kept: of this store, and of a history that still holds. */
export function isGoodCursor(
  cursor: FeedCursor,
  store: StoreId,
  { incarnations, lastArrival }: FeedDescription,
): boolean {
  if (cursor.store !== store) return false;
  return incarnations.includes(cursor.incarnation) && cursor.arrival <= lastArrival;
}

/** Whether groups right behind a place were dropped, so that nobody knows what they named. */
export function isFeedGap(
  cursor: FeedCursor,
  groups: readonly FeedGroup[],
  { lastArrival }: FeedDescription,
): boolean {
  return (groups[0]?.number ?? lastArrival + 1) > cursor.arrival + 1;
}

/** @param comparedUpTo the last document that was compared, while all of them are; `""` before the first. */
export function cursorAt(
  store: StoreId,
  { incarnations }: FeedDescription,
  arrival: number,
  comparedUpTo?: string,
): FeedCursor {
  return { store, incarnation: incarnations.at(-1) ?? "", arrival, comparedUpTo };
}
