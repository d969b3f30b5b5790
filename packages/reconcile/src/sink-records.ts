import { HeddleError, HeddleErrorCode, type DocumentId, type LaneId } from "@heddle/core";

import type { RecordPath } from "./record-path.ts";
import { decodeRowValue, encodeRowValue, type RowValue } from "./row-value.ts";
import { projectionLimits } from "./projection-limits.ts";

/**
 * What a sink keeps, beside no projection:
 *
 *   sink name feed               place in the feed
 *   sink name sent document      lane → seq up to which changes were handed over, or are dead
 *   sink name dead id            a change that is not tried any more, and why
 */
export function sinkFeedPath(sink: string): RecordPath {
  return ["sink", sink, "feed"];
}

export function sinkSentPath(sink: string, document: DocumentId): RecordPath {
  return ["sink", sink, "sent", document];
}

/** All dead changes of a sink. */
export function deadChangesPath(sink: string): RecordPath {
  return ["sink", sink, "dead"];
}

/** A change that a sink gave up. */
export interface DeadChange {
  /** Of the envelope, in hex. */
  readonly id: string;
  readonly document: string;
  readonly lane: LaneId;
  readonly seq: number;
  readonly reason: string;
  readonly attempts: number;
  readonly atMs: number;
}

const reasonLengthMax = 400;

/** Its id is in the path. */
export function encodeDeadChange(change: DeadChange): Uint8Array {
  const { document, lane, seq, reason, attempts, atMs } = change;
  const short = reason.slice(0, reasonLengthMax).replaceAll(/\p{Cs}/gu, "\ufffd");
  return encodeRowValue({ d: document, l: lane, s: seq, r: short, a: attempts, t: atMs });
}

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT`. */
export function decodeDeadChange(id: string, bytes: Uint8Array): DeadChange {
  const { d, l, s, r, a, t } = decodeRowValue(bytes) as Readonly<Record<string, RowValue>>;
  const isWhole =
    [s, a, t].every(Number.isSafeInteger) && [d, l, r].every((x) => typeof x === "string");
  if (!isWhole) {
    throw new HeddleError(HeddleErrorCode.storageCorrupt, "a dead change cannot be read");
  }
  return {
    id,
    document: d as string,
    lane: l as LaneId,
    seq: s as number,
    reason: r as string,
    attempts: a as number,
    atMs: t as number,
  };
}

export function encodeSent(sent: ReadonlyMap<LaneId, number>): Uint8Array {
  return encodeRowValue(Object.fromEntries(sent), projectionLimits.recordBytesMax);
}

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT`. */
export function decodeSent(bytes: Uint8Array): Map<LaneId, number> {
  const entries = Object.entries(decodeRowValue(bytes) as Readonly<Record<string, RowValue>>);
  if (!entries.every(([, seq]) => Number.isSafeInteger(seq))) {
    throw new HeddleError(HeddleErrorCode.storageCorrupt, "what a sink has sent cannot be read");
  }
  return new Map(entries.map(([lane, seq]) => [lane as LaneId, seq as number]));
}
