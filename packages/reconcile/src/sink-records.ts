import { HeddleError, HeddleErrorCode, type DocumentId, type LaneId } from "@heddle/core";

import type { RecordPath } from "./record-path.ts";
import { decodeRowValue, encodeRowValue, type RowValue } from "./row-value.ts";
import { projectionLimits } from "./projection-limits.ts";

/**
 * What a sink keeps, beside no projection:
 *
 *   sink name feed               place in the feed
 *   sink name start              of one that begins with "now": what it takes for old
 *   sink name sent document      lane → seq up to which changes were handed over, or are dead
 *   sink name stalled document   why a document could not be read; as of a projection
 *   sink name dead id            a change that is not tried any more, and why
 *   sink name dropped            how many of those there was no room for
 */
export function sinkFeedPath(sink: string): RecordPath {
  return ["sink", sink, "feed"];
}

export function sinkStartPath(sink: string): RecordPath {
  return ["sink", sink, "start"];
}

export function sinkSentPath(sink: string, document: DocumentId): RecordPath {
  return ["sink", sink, "sent", document];
}

/** All documents of a sink that could not be read. */
export function sinkStalledPath(sink: string): RecordPath {
  return ["sink", sink, "stalled"];
}

/** All dead changes of a sink. */
export function deadChangesPath(sink: string): RecordPath {
  return ["sink", sink, "dead"];
}

export function sinkDroppedPath(sink: string): RecordPath {
  return ["sink", sink, "dropped"];
}

/**
 * Of a sink that begins with what comes from now on. While it is `noting`, the log of each document is noted as
 * sent. What arrived meanwhile, up to group `newUpTo` of the feed, is new all the same.
 */
export type SinkStart =
  | { readonly name: "noting" }
  | { readonly name: "noted"; readonly newUpTo: number };

export function encodeSinkStart(start: SinkStart): Uint8Array {
  return encodeRowValue(start.name === "noting" ? { n: 1 } : { u: start.newUpTo });
}

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT`; so do the others. */
export function decodeSinkStart(bytes: Uint8Array): SinkStart {
  const { n, u } = objectIn(bytes);
  if (n === 1 && u === undefined) return { name: "noting" };
  if (n !== undefined || !Number.isSafeInteger(u)) throw corrupt("where a sink began");
  return { name: "noted", newUpTo: u as number };
}

/** A change that a sink gave up. */
export interface DeadChange {
  /** Of the envelope, in hex; of what was pruned before it was sent, the document's. */
  readonly id: string;
  readonly document: string;
  readonly lane: LaneId;
  /** 0: not one change, but all that was pruned. */
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

export function decodeDeadChange(id: string, bytes: Uint8Array): DeadChange {
  const { d, l, s, r, a, t } = objectIn(bytes);
  const isWhole =
    [s, a, t].every(Number.isSafeInteger) && [d, l, r].every((x) => typeof x === "string");
  if (!isWhole) throw corrupt("a dead change");
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

export function decodeSent(bytes: Uint8Array): Map<LaneId, number> {
  const entries = Object.entries(objectIn(bytes));
  if (!entries.every(([, seq]) => Number.isSafeInteger(seq))) throw corrupt("what a sink has sent");
  return new Map(entries.map(([lane, seq]) => [lane as LaneId, seq as number]));
}

/** How many dead changes were dropped, and when the last one was. */
export interface DroppedDead {
  readonly count: number;
  readonly atMs: number;
}

export function encodeDropped({ count, atMs }: DroppedDead): Uint8Array {
  return encodeRowValue({ n: count, t: atMs });
}

export function decodeDropped(bytes: Uint8Array): DroppedDead {
  const { n, t } = objectIn(bytes);
  if (!Number.isSafeInteger(n) || !Number.isSafeInteger(t)) throw corrupt("a count of a sink");
  return { count: n as number, atMs: t as number };
}

function objectIn(bytes: Uint8Array): Readonly<Record<string, RowValue>> {
  const value = decodeRowValue(bytes);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw corrupt("a record of a sink");
  }
  return value as Readonly<Record<string, RowValue>>;
}

function corrupt(what: string): HeddleError {
  return new HeddleError(HeddleErrorCode.storageCorrupt, `${what} cannot be read`);
}
