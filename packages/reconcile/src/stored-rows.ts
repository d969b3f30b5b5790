import type { DocumentId, Hash } from "@heddle/core";

import { rowsDigest } from "./document-rows.ts";
import { documentRowsPath, type GenerationId } from "./projection-layout.ts";
import { decodeRow, type Marker, type StoredRow } from "./projection-records.ts";
import type { StoredRecord } from "./projection-store.ts";
import type { RecordPath } from "./record-path.ts";
import type { RowValue } from "./row-value.ts";

/** Rows of a document as they lie in the store. */
export interface StoredRows {
  readonly rows: ReadonlyMap<string, StoredRow | "damaged">;
  /** In hex; `undefined` when one of them cannot be read. */
  readonly digest: string | undefined;
}

/** @param scan all records under a path, of a store or of a draft. */
export async function readStoredRows(
  scan: (under: RecordPath) => AsyncIterable<StoredRecord>,
  hash: Hash,
  generation: GenerationId,
  place: { readonly partition: string; readonly document: DocumentId },
): Promise<StoredRows> {
  const rows = new Map<string, StoredRow | "damaged">();
  const values = new Map<string, RowValue>();
  const under = documentRowsPath(generation, place.partition, place.document);
  for await (const { path, value } of scan(under)) {
    const key = path.at(-1)!;
    const row = value === "damaged" ? value : readable(value);
    rows.set(key, row);
    if (row !== "damaged") values.set(key, row.value);
  }
  return { rows, digest: values.size === rows.size ? rowsDigest(hash, values) : undefined };
}

/** Whether rows are those that were written with the marker. */
export function areAsMarked({ rows, digest }: StoredRows, marker: Marker | undefined): boolean {
  return marker === undefined ? rows.size === 0 : digest === marker.rows;
}

/** Bytes that were written whole and hold no row were not written by this. */
function readable(value: Uint8Array): StoredRow | "damaged" {
  try {
    return decodeRow(value);
  } catch {
    return "damaged"; // Its code would say no more.
  }
}
