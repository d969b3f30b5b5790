import {
  equalBytes,
  HeddleErrorCode,
  isHeddleError,
  type Clock,
  type DocumentId,
  type Hash,
} from "@heddle/core";

import { partitionOf, type Projection } from "./define-projection.ts";
import { rowsDigest } from "./document-rows.ts";
import { updateTotals, type RowStep, type TotalChange } from "./key-totals.ts";
import { noteLateness } from "./lateness.ts";
import { nextRows, type FoldBase, type NextRows } from "./next-rows.ts";
import { markerPath, rowPath, sharePath, type GenerationId } from "./projection-layout.ts";
import {
  decodeMarker,
  encodeMarker,
  encodeRow,
  type Marker,
  type StoredRow,
} from "./projection-records.ts";
import type {
  Absent,
  AcceptedDoubts,
  ProjectionSource,
  SourceDocument,
  Undetermined,
} from "./projection-source.ts";
import type { RecordBytes } from "./projection-store.ts";
import type { RecordDraft } from "./record-draft.ts";
import type { RowValue } from "./row-value.ts";
import { areAsMarked, readStoredRows, type StoredRows } from "./stored-rows.ts";

/** One generation of a projection, and what it is made from. */
export interface ProjectionTarget<Content = unknown> {
  readonly projection: Projection<Content>;
  /** Digest of the definition, in hex. */
  readonly definition: string;
  readonly generation: GenerationId;
  readonly source: ProjectionSource<Content>;
  readonly hash: Hash;
  readonly clock: Clock;
}

export interface ProjectOptions {
  /**
   * Reads the document although its marker says that nothing has changed, and believes no row. Totals of rows that were not
   * as marked are left as they are: rows of other documents may be as wrong, and would be added up.
   */
  readonly isSuspicious?: boolean;
  readonly accept?: AcceptedDoubts;
  /** Changes come as they happen, so that one of an old bucket is late. */
  readonly isFollowing?: boolean;
}

export type DocumentOutcome =
  /** The definition does not look at it. */
  | { readonly outcome: "outside" }
  /** What is stored is of this very log: a change that came twice ends here. */
  | { readonly outcome: "current" }
  | Projected
  | Undetermined
  | Absent
  /** The definition failed on it; what is stored stays. */
  | { readonly outcome: "invalid"; readonly error: unknown };

export interface Projected {
  readonly outcome: "projected";
  readonly partition: string;
  /** As it was; `damaged` when it could not be read. */
  readonly marker: Marker | "damaged" | undefined;
  /** Whether the rows of before were those that the marker names. */
  readonly wereRowsAsMarked: boolean;
  readonly rows: readonly RowChange[];
  readonly totals: readonly TotalChange[];
  /** Keys whose totals were left as they are, and have to be compared with all rows. */
  readonly keysLeft: readonly string[];
  /** How many changes came after their bucket had ended. */
  readonly late: number;
}

export interface RowChange {
  readonly key: string;
  /** Missing where there was none, or where it could not be read. */
  readonly before: RowValue | undefined;
  readonly after: RowValue | undefined;
  readonly isDamaged: boolean;
}

/**
 * Puts into `draft` what makes one document's rows, shares, totals and marker those of its source; nothing
 * when they are already, or when the source does not say.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function projectDocument<Content>(
  target: ProjectionTarget<Content>,
  draft: RecordDraft,
  document: SourceDocument,
  { isSuspicious = false, accept = [], isFollowing = false }: ProjectOptions = {},
): Promise<DocumentOutcome> {
  const { projection, generation, source, definition } = target;
  const partition = partitionOf(projection, document.name);
  if (partition === undefined) return { outcome: "outside" };
  const [stored] = await draft.get([markerPath(generation, partition, document.id)]);
  const marker = markerIn(stored);
  const isMarked = marker !== undefined && marker !== "damaged" && marker.definition === definition;
  if (isMarked && !isSuspicious) {
    const look = await source.look(document.id, accept);
    if (look.outcome !== "whole") return look;
    if (look.log === marker.log) return { outcome: "current" };
  }
  const place = { partition, document: document.id };
  const before = await readRowsOf(target, draft, place);
  const wereRowsAsMarked = marker !== "damaged" && areAsMarked(before, marker);
  const base = isMarked && wereRowsAsMarked && !isSuspicious ? baseOf(marker, before) : undefined;
  const previous = { stored, marker, before, wereRowsAsMarked };
  try {
    const next = await nextRows(projection, source, document, { base, accept });
    if (next.outcome !== "whole") return next;
    const how = { next, previous, isFollowing, isSuspicious };
    return await draft.attempt(() => write(target, draft, place, how));
  } catch (error) {
    if (isOfStorage(error)) throw error;
    // Of the definition's functions: on what the document holds, or on what totals hold.
    return { outcome: "invalid", error };
  }
}

interface Previous {
  readonly stored: RecordBytes | undefined;
  readonly marker: Marker | "damaged" | undefined;
  readonly before: StoredRows;
  readonly wereRowsAsMarked: boolean;
}

interface WriteHow {
  readonly next: NextRows;
  readonly previous: Previous;
  readonly isFollowing: boolean;
  readonly isSuspicious: boolean;
}

async function write(
  target: ProjectionTarget,
  draft: RecordDraft,
  place: DocumentPlace,
  { next, previous, isFollowing, isSuspicious }: WriteHow,
): Promise<Projected> {
  const { stored, marker, before, wereRowsAsMarked } = previous;
  const { partition } = place;
  const steps = stepsOf(before.rows, next.rows, wereRowsAsMarked);
  if (isSuspicious) putShares(target, draft, place, next.rows);
  const areTotalsLeft = isSuspicious && !wereRowsAsMarked;
  const how = { steps, isTrusted: wereRowsAsMarked, areTotalsLeft };
  const totals = await writeRows(target, draft, place, how);
  const isFold = target.projection.kind === "fold";
  const late = isFold ? await noteLateness(target, draft, partition, { next, isFollowing }) : 0;
  writeMarker(target, draft, { place, next, stored });
  const rows = [...steps].flatMap(([key, step]): RowChange[] => {
    return isSameRow(step) ? [] : [rowChange(key, step)];
  });
  const keysLeft = areTotalsLeft ? [...steps.keys()] : [];
  return {
    outcome: "projected",
    partition,
    marker,
    wereRowsAsMarked,
    rows,
    totals,
    keysLeft,
    late,
  };
}

/**
 * Puts into `draft` what takes a document out of a generation: one that its source does not have. Totals of rows that
 * were not as marked are left as they are.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function removeDocument(
  target: ProjectionTarget,
  draft: RecordDraft,
  place: DocumentPlace,
): Promise<Projected> {
  const path = markerPath(target.generation, place.partition, place.document);
  const [stored] = await draft.get([path]);
  const marker = markerIn(stored);
  const before = await readRowsOf(target, draft, place);
  const wereRowsAsMarked = marker !== "damaged" && areAsMarked(before, marker);
  const steps = stepsOf(before.rows, new Map(), wereRowsAsMarked);
  const how = { steps, isTrusted: wereRowsAsMarked, areTotalsLeft: !wereRowsAsMarked };
  const totals = await writeRows(target, draft, place, how);
  if (stored !== undefined) draft.remove(path);
  const rows = [...steps].map(([key, step]) => rowChange(key, step));
  const { partition } = place;
  const keysLeft = wereRowsAsMarked ? [] : [...steps.keys()];
  const about = { partition, marker, wereRowsAsMarked, keysLeft };
  return { outcome: "projected", ...about, rows, totals, late: 0 };
}

export interface DocumentPlace {
  readonly partition: string;
  readonly document: DocumentId;
}

/** Of a marker that cannot be read no more is known than that. */
export function markerIn(stored: RecordBytes | undefined): Marker | "damaged" | undefined {
  if (stored === undefined || stored === "damaged") return stored;
  try {
    return decodeMarker(stored);
  } catch {
    return "damaged"; // Whole bytes that nobody wrote here.
  }
}

function readRowsOf(
  { hash, generation }: ProjectionTarget,
  draft: RecordDraft,
  place: DocumentPlace,
): Promise<StoredRows> {
  return readStoredRows((under) => draft.scan(under), hash, generation, place);
}

function baseOf(marker: Marker, { rows }: StoredRows): FoldBase | undefined {
  // Rows that are as marked can all be read.
  return marker.vector && { marker, rows: rows as ReadonlyMap<string, StoredRow> };
}

/** Keys whose row changes; all of them where totals cannot be believed. */
function stepsOf(
  before: StoredRows["rows"],
  after: ReadonlyMap<string, StoredRow>,
  isTrusted: boolean,
): Map<string, RowStep> {
  const steps = new Map<string, RowStep>();
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const step = { before: before.get(key), after: after.get(key) };
    if (!isTrusted || !isSameRow(step)) steps.set(key, step);
  }
  return steps;
}

function rowChange(key: string, { before, after }: RowStep): RowChange {
  const isDamaged = before === "damaged";
  return { key, before: isDamaged ? undefined : before?.value, after: after?.value, isDamaged };
}

function isSameRow({ before, after }: RowStep): boolean {
  if (before === undefined || after === undefined) return before === after;
  return before !== "damaged" && equalBytes(encodeRow(before), encodeRow(after));
}

async function writeRows(
  { projection, generation }: ProjectionTarget,
  draft: RecordDraft,
  { partition, document }: DocumentPlace,
  {
    steps,
    isTrusted,
    areTotalsLeft,
  }: {
    readonly steps: ReadonlyMap<string, RowStep>;
    readonly isTrusted: boolean;
    readonly areTotalsLeft: boolean;
  },
): Promise<readonly TotalChange[]> {
  for (const [key, { before, after }] of steps) {
    const path = rowPath(generation, partition, document, key);
    const share = sharePath(generation, partition, key, document);
    const isShared = projection.subtract === undefined;
    if (after) {
      const bytes = encodeRow(after);
      draft.put(path, bytes);
      if (isShared) draft.put(share, bytes);
    } else {
      if (before !== undefined) draft.remove(path);
      if (isShared) draft.remove(share);
    }
  }
  if (areTotalsLeft) return [];
  return updateTotals(draft, { projection, generation, partition }, steps, isTrusted);
}

/** A share may be wrong although its row is right: whoever is suspicious writes all of them. */
function putShares(
  { projection, generation }: ProjectionTarget,
  draft: RecordDraft,
  { partition, document }: DocumentPlace,
  rows: NextRows["rows"],
): void {
  if (projection.subtract !== undefined) return;
  for (const [key, row] of rows) {
    draft.put(sharePath(generation, partition, key, document), encodeRow(row));
  }
}

function writeMarker(
  { hash, generation, definition }: ProjectionTarget,
  draft: RecordDraft,
  marked: {
    readonly place: DocumentPlace;
    readonly next: NextRows;
    readonly stored: RecordBytes | undefined;
  },
): void {
  const { place, next, stored } = marked;
  const values = new Map(
    [...next.rows].map(([key, { value }]): [string, RowValue] => [key, value]),
  );
  const bytes = encodeMarker({
    log: next.log,
    rows: rowsDigest(hash, values),
    rowCount: values.size,
    definition,
    vector: next.vector,
  });
  if (stored instanceof Uint8Array && equalBytes(stored, bytes)) return;
  draft.put(markerPath(generation, place.partition, place.document), bytes);
}

function isOfStorage(error: unknown): boolean {
  return isHeddleError(error) && error.code !== HeddleErrorCode.projectionInvalid;
}
