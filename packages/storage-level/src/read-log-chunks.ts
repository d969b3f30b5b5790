import {
  HeddleError,
  HeddleErrorCode,
  type DocumentId,
  type LaneId,
  type StoredEnvelope,
  type VersionVector,
} from "@heddle/core";

import { readEnvelope } from "./envelope-record.ts";
import { laneOfKey } from "./kept-vectors.ts";
import { readPositions } from "./log-reader.ts";
import type { OpenLog } from "./open-log.ts";
import { readFloors } from "./read-checkpoints.ts";
import type { KeyRange } from "./key-writer.ts";
import { envelopeKeysOf } from "./key-ranges.ts";
import { numberOfKey } from "./parts-of-key.ts";
import { envelopeKey } from "./record-keys.ts";

/**
 * Envelopes of a document above `above`, lane after lane. A lane is contiguous from its floor on
 * (I1), so that a missing envelope is noticed here, the last ones of it by the kept vector: LevelDB loses keys to a
 * flipped bit without a word.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT`.
 */
export async function* readLogChunks(
  log: OpenLog,
  document: DocumentId,
  above: VersionVector = new Map(),
): AsyncIterable<readonly StoredEnvelope[]> {
  const kept = await readPositions(log, document);
  const positions = new Map<LaneId, number>(await readFloors(log, document));
  for (const [lane, { seq }] of above) {
    positions.set(lane, Math.max(seq, positions.get(lane) ?? 0));
  }
  for (const range of rangesAbove(log, document, above)) {
    for await (const chunk of log.database.entries(range)) {
      yield chunk.map(([key, record]) => {
        const lane = laneOfKey(log, key);
        const seq = numberOfKey(key);
        const expected = (positions.get(lane) ?? 0) + 1;
        if (seq !== expected) throw missingEnvelope(document, lane, expected);
        positions.set(lane, seq);
        return { lane, seq, bytes: readEnvelope(key, record).bytes };
      });
    }
  }
  for (const [lane, { seq }] of kept?.vector ?? []) {
    const last = positions.get(lane) ?? 0;
    if (last < seq) throw missingEnvelope(document, lane, last + 1);
  }
}

/** The keys of a document without the stretches that `above` covers; those of one lane are adjacent. */
function* rangesAbove(
  log: OpenLog,
  document: DocumentId,
  above: VersionVector,
): Iterable<KeyRange> {
  const covered = [...above]
    .map(([lane, { seq }]) => ({ laneIx: log.lanes.ixOf(lane) ?? 0, seq }))
    .filter(({ laneIx }) => laneIx > 0)
    .toSorted((a, b) => a.laneIx - b.laneIx);
  const whole = envelopeKeysOf(document);
  let { gte } = whole;
  for (const { laneIx, seq } of covered) {
    yield { gte, lt: envelopeKey(document, laneIx, 0) };
    gte = envelopeKey(document, laneIx, seq + 1);
  }
  yield { gte, lt: whole.lt };
}

export function missingEnvelope(document: DocumentId, lane: LaneId, seq: number): HeddleError {
  return new HeddleError(
    HeddleErrorCode.storageCorrupt,
    `envelope ${seq} of lane ${lane} is missing from the log of document ${document}`,
  );
}
