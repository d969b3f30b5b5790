import type { DocumentId } from "@heddle/core";

import { readFloor } from "./attribution-records.ts";
import type { LogDatabase } from "./level-database.ts";
import { floorKey } from "./record-keys.ts";

/** The floor of one lane in one document, 0 when nothing of it was dropped. */
export async function readFloorOf(
  database: LogDatabase,
  document: DocumentId,
  laneIx: number,
): Promise<number> {
  const key = floorKey(document, laneIx);
  const record = await database.get(key);
  return record ? readFloor(key, record) : 0;
}
