import { toHex, type DocumentId, type Hash } from "@heddle/core";

import type { Projection } from "../define-projection.ts";
import { encodeRow } from "../projection-records.ts";
import type { RowValue } from "../row-value.ts";
import type { StoredRows } from "../stored-rows.ts";

type Rows = StoredRows["rows"];
type FoundRow = Rows extends ReadonlyMap<string, infer Row> ? Row : never;

/** What the rows of a partition come to by key; documents are added in the order of their ids. */
export class PartitionSums {
  readonly #combine: Projection["combine"];
  readonly #byKey = new Map<string, KeySum>();

  constructor(combine: Projection["combine"]) {
    this.#combine = combine;
  }

  add(rows: Rows): void {
    for (const [key, row] of rows) {
      const value = row === "damaged" ? undefined : row.value;
      const sum = this.#byKey.get(key);
      if (sum === undefined) this.#byKey.set(key, { documents: 1, value });
      else {
        sum.documents++;
        sum.value = this.#sumOf(sum.value, value);
      }
    }
  }

  /** What somebody has written in the place of a value may be nothing that a definition can add up. */
  #sumOf(sum: RowValue | undefined, value: RowValue | undefined): RowValue | undefined {
    if (sum === undefined || value === undefined) return undefined;
    try {
      return this.#combine(sum, value);
    } catch {
      return undefined; // The key is suspicious then, and looked at by itself.
    }
  }

  /** The sum of a key, which is then done with. */
  take(key: string): Readonly<KeySum> | undefined {
    const sum = this.#byKey.get(key);
    this.#byKey.delete(key);
    return sum;
  }

  get keysLeft(): Iterable<string> {
    return this.#byKey.keys();
  }
}

export interface KeySum {
  documents: number;
  /** Missing when one of the rows cannot be read. */
  value: RowValue | undefined;
}

/** Compares rows with the shares that repeat them by key, by digests: there may be many of them. */
export class ShareLedger {
  readonly #hash: Hash;
  readonly #open = new Map<string, { document: DocumentId; digest: string }>();
  readonly #suspects = new Map<DocumentId, Set<string>>();

  constructor(hash: Hash) {
    this.#hash = hash;
  }

  add(document: DocumentId, rows: Rows): void {
    for (const [key, row] of rows) {
      this.#open.set(`${key}\0${document}`, { document, digest: this.#digestOf(row) });
    }
  }

  take(key: string, document: DocumentId, share: FoundRow): void {
    const place = `${key}\0${document}`;
    const row = this.#open.get(place);
    this.#open.delete(place);
    if (row === undefined || row.digest !== this.#digestOf(share)) this.#suspect(document, key);
  }

  /** Documents of rows without a share, of shares without a row, and of those that differ; with their keys. */
  suspects(): ReadonlyMap<DocumentId, ReadonlySet<string>> {
    for (const [place, { document }] of this.#open) {
      this.#suspect(document, place.slice(0, place.indexOf("\0")));
    }
    this.#open.clear();
    return this.#suspects;
  }

  #suspect(document: DocumentId, key: string): void {
    const keys = this.#suspects.get(document);
    if (keys === undefined) this.#suspects.set(document, new Set([key]));
    else keys.add(key);
  }

  #digestOf(row: FoundRow): string {
    return row === "damaged" ? row : toHex(this.#hash.sha256(encodeRow(row)).subarray(0, 16));
  }
}
