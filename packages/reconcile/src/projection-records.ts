import { HeddleError, HeddleErrorCode, type DocumentName, type LaneId } from "@heddle/core";

import { projectionLimits } from "./projection-limits.ts";
import { decodeRowValue, encodeRowValue, type RowValue } from "./row-value.ts";

/**
 * Records of a projection, as canonical JSON with short names; the format is that of `projection-layout.ts`
 * and docs/storage-format.md, and golden bytes hold it.
 */

/** What of a document is in the rows. */
export interface Marker {
  /** Digest L in hex of what was projected. */
  readonly log: string;
  /** Digest in hex over the document's rows as they were written. */
  readonly rows: string;
  readonly rowCount: number;
  /** Digest in hex of the definition that made them. */
  readonly definition: string;
  /** Of folds: lane → seq that is folded in. */
  readonly vector?: ReadonlyMap<LaneId, number> | undefined;
}

export function encodeMarker({ log, rows, rowCount, definition, vector }: Marker): Uint8Array {
  const v = vector && Object.fromEntries(vector);
  const value = { l: log, r: rows, n: rowCount, d: definition, ...(v && { v }) };
  return encodeRowValue(value, projectionLimits.recordBytesMax);
}

/** @throws HeddleError `HEDDLE_STORAGE_CORRUPT`; so do the others. */
export function decodeMarker(bytes: Uint8Array): Marker {
  const fields = objectOf("marker", decodeRowValue(bytes));
  const { v } = fields;
  const lanes = v === undefined ? undefined : Object.entries(objectOf("marker", v));
  return {
    log: text("marker", fields["l"]),
    rows: text("marker", fields["r"]),
    rowCount: count("marker", fields["n"]),
    definition: text("marker", fields["d"]),
    ...(lanes && {
      vector: new Map(lanes.map(([lane, seq]) => [lane as LaneId, count("marker", seq)])),
    }),
  };
}

/** What a key comes to. */
export interface Total {
  readonly value: RowValue;
  /** How many documents give to it; a key without any has no record. */
  readonly documents: number;
}

export function encodeTotal({ value, documents }: Total): Uint8Array {
  return encodeRowValue({ n: documents, v: value }, projectionLimits.recordBytesMax);
}

export function decodeTotal(bytes: Uint8Array): Total {
  const fields = objectOf("total", decodeRowValue(bytes));
  if (fields["v"] === undefined) throw corrupt("total");
  return { value: fields["v"], documents: count("total", fields["n"]) };
}

/** What a document gives to a key; of a canonical fold, with the place of the last change in it. */
export interface StoredRow {
  readonly value: RowValue;
  readonly place?: ChangePlace | undefined;
}

/** Canonical order of the changes of a document. */
export interface ChangePlace {
  readonly wallMs: number;
  readonly counter: number;
  readonly lane: LaneId;
  readonly seq: number;
}

export function comparePlaces(a: ChangePlace, b: ChangePlace): number {
  if (a.wallMs !== b.wallMs || a.counter !== b.counter) {
    return a.wallMs - b.wallMs || a.counter - b.counter;
  }
  if (a.lane !== b.lane) return a.lane < b.lane ? -1 : 1;
  return a.seq - b.seq;
}

export function encodeRow({ value, place }: StoredRow): Uint8Array {
  const p = place && [place.wallMs, place.counter, place.lane, place.seq];
  return encodeRowValue({ v: value, ...(p && { p }) }, projectionLimits.recordBytesMax);
}

export function decodeRow(bytes: Uint8Array): StoredRow {
  const { v, p } = objectOf("row", decodeRowValue(bytes));
  if (v === undefined) throw corrupt("row");
  if (p === undefined) return { value: v };
  if (!Array.isArray(p)) throw corrupt("row");
  const [wallMs, counter, lane, seq] = p as readonly RowValue[];
  const place = {
    wallMs: count("row", wallMs),
    counter: count("row", counter),
    lane: text("row", lane) as LaneId,
    seq: count("row", seq),
  };
  return { value: v, place };
}

/** Where a generation stands in the change feed. */
export interface FeedCursor {
  /** In hex: the store whose feed it is, and the opening that gave the number. */
  readonly store: string;
  readonly incarnation: string;
  readonly arrival: number;
  /**
   * While all documents are compared, because the feed alone does not tell what is missing: the last
   * one that was, or "" before the first. `arrival` is where the feed goes on afterwards.
   */
  readonly comparedUpTo?: string | undefined;
}

export function encodeCursor({
  store,
  incarnation,
  arrival,
  comparedUpTo,
}: FeedCursor): Uint8Array {
  const c = comparedUpTo;
  return encodeRowValue({ s: store, i: incarnation, a: arrival, ...(c !== undefined && { c }) });
}

export function decodeCursor(bytes: Uint8Array): FeedCursor {
  const fields = objectOf("cursor", decodeRowValue(bytes));
  const { c } = fields;
  return {
    store: text("cursor", fields["s"]),
    incarnation: text("cursor", fields["i"]),
    arrival: count("cursor", fields["a"]),
    ...(c !== undefined && { comparedUpTo: text("cursor", c) }),
  };
}

/**
 * A building of a projection:
 *
 *   building ──caught up, pointer switched──► live ──another switched──► dropped ──rows gone──► no record
 *       └──────────────given up──────────────────────────────────────────►┘
 */
export interface Generation {
  readonly definition: string;
  readonly version: number;
  readonly policyVersion: number;
  readonly owner: string;
  readonly state: "building" | "live" | "dropped";
  readonly startedAtMs: number;
}

export function encodeGeneration(generation: Generation): Uint8Array {
  const { definition, version, policyVersion, owner, state, startedAtMs } = generation;
  return encodeRowValue({
    d: definition,
    v: version,
    p: policyVersion,
    o: owner,
    s: state,
    t: startedAtMs,
  });
}

export function decodeGeneration(bytes: Uint8Array): Generation {
  const fields = objectOf("generation", decodeRowValue(bytes));
  const state = text("generation", fields["s"]);
  if (state !== "building" && state !== "live" && state !== "dropped") throw corrupt("generation");
  return {
    definition: text("generation", fields["d"]),
    version: count("generation", fields["v"]),
    policyVersion: count("generation", fields["p"]),
    owner: text("generation", fields["o"]),
    state,
    startedAtMs: count("generation", fields["t"]),
  };
}

/** Changes of a partition that came after their bucket. */
export interface Lateness {
  /** Newest clock reading among its changes; never ahead of the clock of whoever folded it. */
  readonly newestMs: number;
  readonly late: number;
  /** By how much the bucket of the latest one had ended. */
  readonly lateMsMax: number;
}

export function encodeLateness({ newestMs, late, lateMsMax }: Lateness): Uint8Array {
  return encodeRowValue({ w: newestMs, n: late, m: lateMsMax });
}

export function decodeLateness(bytes: Uint8Array): Lateness {
  const fields = objectOf("lateness", decodeRowValue(bytes));
  return {
    newestMs: count("lateness", fields["w"]),
    late: count("lateness", fields["n"]),
    lateMsMax: count("lateness", fields["m"]),
  };
}

/** A document that could not be taken in. */
export interface Stalled {
  readonly name: DocumentName;
  /** Of {@link UndeterminedReason}, `invalid` or `absent`. */
  readonly reason: string;
}

export function encodeStalled({ name, reason }: Stalled): Uint8Array {
  return encodeRowValue({ d: name, r: reason });
}

export function decodeStalled(bytes: Uint8Array): Stalled {
  const fields = objectOf("stalled document", decodeRowValue(bytes));
  const name = text("stalled document", fields["d"]) as DocumentName;
  return { name, reason: text("stalled document", fields["r"]) };
}

/** The pointer of a projection, and the last number that a generation of it was given. */
export function encodeLive(number: number): Uint8Array {
  return encodeRowValue({ g: number });
}

export function decodeLive(bytes: Uint8Array): number {
  return count("pointer", objectOf("pointer", decodeRowValue(bytes))["g"]);
}

type Fields = Readonly<Record<string, RowValue>>;

function objectOf(what: string, value: RowValue | undefined): Fields {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject) throw corrupt(what);
  return value as Fields;
}

function text(what: string, value: RowValue | undefined): string {
  if (typeof value !== "string") throw corrupt(what);
  return value;
}

function count(what: string, value: RowValue | undefined): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw corrupt(what);
  return value;
}

function corrupt(what: string): HeddleError {
  return new HeddleError(
    HeddleErrorCode.storageCorrupt,
    `a ${what} of a projection cannot be read`,
  );
}
