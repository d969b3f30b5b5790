import { equalBytes, type DocumentId } from "@heddle/core";

import type { Projection } from "./define-projection.ts";
import { keySharesPath, kindPath, totalPath, type GenerationId } from "./projection-layout.ts";
import {
  decodeRow,
  decodeTotal,
  encodeTotal,
  type StoredRow,
  type Total,
} from "./projection-records.ts";
import type { RecordBytes, StoredRecord } from "./projection-store.ts";
import type { RecordDraft } from "./record-draft.ts";
import type { RowValue } from "./row-value.ts";

/** What becomes of a document's row under one key. */
export interface RowStep {
  readonly before: StoredRow | "damaged" | undefined;
  readonly after: StoredRow | undefined;
}

/** A total that is written, for whoever records what was changed. */
export interface TotalChange {
  readonly key: string;
  readonly before: Total | "damaged" | undefined;
  readonly after: Total | undefined;
}

export interface TotalsPlace {
  readonly projection: Projection;
  readonly generation: GenerationId;
  readonly partition: string;
}

/**
 * Brings totals up to date with rows that are in the draft already. Where what lay there can be believed, by
 * what the document took away and added; otherwise from all rows of the key.
 *
 * @param isTrusted whether the rows of before were those that totals hold.
 */
export async function updateTotals(
  draft: RecordDraft,
  place: TotalsPlace,
  steps: ReadonlyMap<string, RowStep>,
  isTrusted: boolean,
): Promise<readonly TotalChange[]> {
  const keys = [...steps.keys()];
  const stored = await draft.get(keys.map((key) => pathOf(place, key)));
  const changes: TotalChange[] = [];
  const recount: { key: string; stored: RecordBytes | undefined }[] = [];
  for (const [index, key] of keys.entries()) {
    const before = totalIn(stored[index]);
    const after = isTrusted ? totalAfter(place.projection, before, steps.get(key)!) : "unknown";
    if (after === "unknown") recount.push({ key, stored: stored[index] });
    else writeTotal(draft, place, { key, stored: stored[index], after }, changes);
  }
  const counted = await recountTotals(
    draft,
    place,
    recount.map(({ key }) => key),
  );
  for (const { key, stored } of recount) {
    writeTotal(draft, place, { key, stored, after: counted.get(key) }, changes);
  }
  return changes;
}

/** What keys come to by all of their rows; a key without any is missing. */
export async function recountTotals(
  draft: RecordDraft,
  place: TotalsPlace,
  keys: readonly string[],
): Promise<ReadonlyMap<string, Total>> {
  const found = new Map<string, { document: DocumentId; row: StoredRow }[]>();
  const note = (key: string, document: string | undefined, { value }: StoredRecord): void => {
    const row = value === "damaged" ? undefined : rowIn(value);
    // What cannot be read counts for nothing; its own document is mended by whoever compares it.
    if (row === undefined) return;
    const entry = { document: document as DocumentId, row };
    const ofKey = found.get(key);
    if (ofKey) ofKey.push(entry);
    else found.set(key, [entry]);
  };
  const { projection, generation, partition } = place;
  if (projection.subtract === undefined) {
    for (const key of keys) {
      const under = keySharesPath(generation, partition, key);
      for await (const record of draft.scan(under)) note(key, record.path.at(-1), record);
    }
  } else if (keys.length > 0) {
    const wanted = new Set(keys);
    for await (const record of draft.scan(kindPath("row", generation, partition))) {
      const key = record.path.at(-1)!;
      if (wanted.has(key)) note(key, record.path.at(-2), record);
    }
  }
  return new Map([...found].map(([key, rows]) => [key, combineRows(projection, rows)]));
}

/** In the order of documents: it decides nothing for those who commute, and everything for the others. */
export function combineRows(
  projection: Projection,
  rows: readonly { readonly document: DocumentId; readonly row: StoredRow }[],
): Total {
  const [first, ...others] = rows.toSorted((a, b) => (a.document < b.document ? -1 : 1));
  let value: RowValue = first!.row.value;
  for (const { row } of others) value = projection.combine(value, row.value);
  return { value, documents: rows.length };
}

/** `unknown` where it takes all rows of the key to tell. */
function totalAfter(
  projection: Projection,
  total: Total | "damaged" | undefined,
  { before, after }: RowStep,
): Total | undefined | "unknown" {
  const { combine, subtract } = projection;
  const isOrdered = projection.kind === "fold" && projection.order === "canonical";
  if (total === "damaged" || before === "damaged" || isOrdered) return "unknown";
  if (before === undefined) {
    if (after === undefined) return total;
    if (total === undefined) return { value: after.value, documents: 1 };
    return { value: combine(total.value, after.value), documents: total.documents + 1 };
  }
  if (total === undefined) return "unknown";
  // The only document that gives to the key: what is left is nothing, or what it gives now.
  if (total.documents === 1) return after && { value: after.value, documents: 1 };
  if (subtract === undefined || total.documents < 1) return "unknown";
  const left = subtract(total.value, before.value);
  if (after === undefined) return { value: left, documents: total.documents - 1 };
  return { value: combine(left, after.value), documents: total.documents };
}

function writeTotal(
  draft: RecordDraft,
  place: TotalsPlace,
  total: { key: string; stored: RecordBytes | undefined; after: Total | undefined },
  changes: TotalChange[],
): void {
  const { key, stored, after } = total;
  const bytes = after && encodeTotal(after);
  if (bytes === undefined && stored === undefined) return;
  if (bytes && stored instanceof Uint8Array && equalBytes(bytes, stored)) return;
  if (bytes) draft.put(pathOf(place, key), bytes);
  else draft.remove(pathOf(place, key));
  changes.push({ key, before: totalIn(stored), after });
}

function pathOf({ generation, partition }: TotalsPlace, key: string): readonly string[] {
  return totalPath(generation, partition, key);
}

export function totalIn(stored: RecordBytes | undefined): Total | "damaged" | undefined {
  if (stored === undefined || stored === "damaged") return stored;
  try {
    return decodeTotal(stored);
  } catch {
    return "damaged"; // It says nothing that could be used, whoever wrote it.
  }
}

function rowIn(value: Uint8Array): StoredRow | undefined {
  try {
    return decodeRow(value);
  } catch {
    return undefined; // As a damaged one.
  }
}
