import { concatBytes, toHex, type Hash } from "@heddle/core";
import * as encoding from "lib0/encoding";
import { encodeUtf8 } from "lib0/string";

import { isKey, type Row } from "./define-projection.ts";
import { projectionInvalid } from "./projection-error.ts";
import { projectionLimits } from "./projection-limits.ts";
import { encodeRowValue, type RowValue } from "./row-value.ts";

/** Rows of one document, by key. */
export type DocumentRows = ReadonlyMap<string, RowValue>;

/**
 * Takes what a definition gave for one document.
 *
 * @param combine what to do with a key that comes twice; without it that is a mistake.
 * @throws HeddleError `HEDDLE_PROJECTION_INVALID`: a key or a value breaks the rules, or there are too many.
 */
export function collectRows(
  projection: string,
  rows: Iterable<Row>,
  combine?: (a: RowValue, b: RowValue) => RowValue,
): Map<string, RowValue> {
  const collected = new Map<string, RowValue>();
  let given = 0;
  for (const row of rows) {
    if (++given > projectionLimits.rowsPerDocumentMax) {
      throw refused(
        projection,
        `a document gives more than ${projectionLimits.rowsPerDocumentMax} rows`,
      );
    }
    const [key, value] = row;
    if (typeof key !== "string" || !isKey(key)) throw refused(projection, "a row has no good key");
    const before = collected.get(key);
    if (before !== undefined && !combine) throw refused(projection, `the key ${key} comes twice`);
    collected.set(key, before === undefined ? value : combine!(before, value));
  }
  assertRows(projection, collected);
  return collected;
}

/** @throws HeddleError `HEDDLE_PROJECTION_INVALID` when they are too much for one document. */
export function assertRows(projection: string, rows: DocumentRows): void {
  const { rowsPerDocumentMax, rowBytesPerDocumentMax } = projectionLimits;
  if (rows.size > rowsPerDocumentMax) {
    throw refused(projection, `a document gives more than ${rowsPerDocumentMax} rows`);
  }
  let bytes = 0;
  for (const [key, value] of rows) {
    bytes += encodeUtf8(key).length + encodeRowValue(value).length;
    if (bytes <= rowBytesPerDocumentMax) continue;
    throw refused(projection, `rows of a document are more than ${rowBytesPerDocumentMax} bytes`);
  }
}

/** Digest in hex over the rows of a document, the same whatever order they came in. */
export function rowsDigest(hash: Hash, rows: DocumentRows): string {
  const parts = [...rows]
    .map(([key, value]) => [encodeUtf8(key), encodeRowValue(value)] as const)
    .toSorted(([a], [b]) => compareBytes(a, b));
  const listed = encoding.encode((encoder) => {
    for (const [key, value] of parts) {
      encoding.writeVarUint8Array(encoder, key);
      encoding.writeVarUint8Array(encoder, value);
    }
  });
  return toHex(hash.sha256(concatBytes([digestDomain, listed])));
}

const digestDomain = encodeUtf8("heddle/rows/1");

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    if (a[index] !== b[index]) return a[index]! - b[index]!;
  }
  return a.length - b.length;
}

function refused(projection: string, why: string): Error {
  return projectionInvalid(`projection ${projection}`, why);
}
