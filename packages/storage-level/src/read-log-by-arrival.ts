import type { DocumentId, LogRange, StoredEnvelope } from "@heddle/core";

import { ArrivalMerge, type WantedLane } from "./arrival-merge.ts";
import type { LaneSpan } from "./lane-spans.ts";
import type { OpenLog } from "./open-log.ts";

/** What a reader gets at once; who stops after some 256 KiB has not read much more. */
const chunkMax = { bytes: 64 * 1024, envelopes: 512 } as const;

/**
 * Envelopes of a document in the order in which they arrived, up to the last group that was on disk at
 * the start: what came later is left out even where it could be seen, as its cause might have been
 * passed by already.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT`.
 */
export async function* readLogByArrival(
  log: OpenLog,
  document: DocumentId,
  { above, upTo, lane: only }: LogRange = {},
): AsyncIterable<readonly StoredEnvelope[]> {
  const lastGroup = log.tail.number;
  const wanted: WantedLane[] = [];
  for (const [laneIx, span] of await log.spans.of(log, document)) {
    const { lane, floor, end, seen } = span;
    const last = upTo ? (upTo.get(lane) ?? 0) : Infinity;
    const kept = Math.min(span.kept, last);
    const after = Math.max(floor, above?.get(lane) ?? 0);
    if ((only ?? lane) !== lane || Math.min(Math.max(end, kept), last) <= after) continue;
    const openedAfter = log.lanes.openedAfter(laneIx);
    const first = { group: openedAfter > 0 ? openedAfter + 1 : 0, index: 0 };
    const place = seen?.seq === after + 1 ? seen.place : first;
    const stopped = (at: NonNullable<LaneSpan["seen"]>): void => void (span.seen = at);
    wanted.push({ lane, laneIx, after, last, kept, place, stopped });
  }
  await using merge = new ArrivalMerge(log.database, document, { wanted, lastGroup });
  let chunk: StoredEnvelope[] = [];
  let bytes = 0;
  for (let next = await merge.next(); next; next = await merge.next()) {
    chunk.push(next);
    bytes += next.bytes.length;
    if (bytes < chunkMax.bytes && chunk.length < chunkMax.envelopes) continue;
    yield chunk;
    chunk = [];
    bytes = 0;
  }
  if (chunk.length > 0) yield chunk;
}
