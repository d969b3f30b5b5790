import { HeddleErrorCode, isHeddleError, type DocumentId } from "@heddle/core";

import { rowsDigest } from "../document-rows.ts";
import { nextRows } from "../next-rows.ts";
import { kindPath } from "../projection-layout.ts";
import { markerIn } from "../project-document.ts";
import { decodeRow, decodeTotal, type Marker } from "../projection-records.ts";
import { equalRowValues } from "../row-value.ts";
import { areAsMarked, readStoredRows, type StoredRows } from "../stored-rows.ts";
import type { JobGround } from "./job-ground.ts";
import { compareNames, isInRange } from "./job-scope.ts";
import { PartitionSums, ShareLedger } from "./partition-sums.ts";
import { RecordCursor } from "./record-cursor.ts";
import { isNamed } from "../projection-source.ts";
import { readOr } from "./read-or.ts";

/** What a first look at a partition came to. Nothing of it is certain: people write meanwhile. */
export interface PartitionLook {
  readonly partition: string;
  readonly documents: number;
  readonly rows: number;
  readonly totals: number;
  /**
   * Something about them does not agree; each is to be looked at again, by itself. With each document the keys
   * under which shares were seen that its rows do not have.
   */
  readonly suspectDocuments: ReadonlyMap<DocumentId, ReadonlySet<string>>;
  readonly suspectKeys: readonly string[];
  /** Suspicious documents whose rows and shares are as they were written: totals can be added up from them. */
  readonly intactDocuments: ReadonlySet<DocumentId>;
}

/** Kinds of records that a scan goes through side by side, each in the order of partitions. */
const kinds = ["marker", "row", "share", "total"] as const;
type Kind = (typeof kinds)[number];

/**
 * Goes through all that a projection holds, partition by partition, each record once: digests of
 * documents against their markers and against the source's digests, sums of rows against totals. Content of
 * documents is read in thorough runs only.
 */
export class PartitionScan {
  readonly #ground: JobGround;
  readonly #cursors: Readonly<Record<Kind, RecordCursor>>;
  readonly #hasShares: boolean;

  constructor(ground: JobGround, { after, only }: ScanRange) {
    this.#ground = ground;
    this.#hasShares = ground.target.projection.subtract === undefined;
    const { from } = ground.scope.partitions ?? {};
    const onPage = (): Promise<void> => ground.pace.pause(ground.signal);
    const cursor = (kind: Kind): RecordCursor => {
      const under = kindPath(kind, ground.target.generation, only);
      // Behind all records of that partition, and before those of the next one.
      const start = after !== undefined ? [...under, `${after}\u0001`] : undefined;
      const isFromThere = from !== undefined && only === undefined;
      const first = start ?? (isFromThere ? [...under, from] : undefined);
      return new RecordCursor(ground.store, { under, after: first }, onPage);
    };
    this.#cursors = {
      marker: cursor("marker"),
      row: cursor("row"),
      share: cursor("share"),
      total: cursor("total"),
    };
  }

  /** The next partition that has records, without going into it. */
  async nextPartition(): Promise<string | undefined> {
    let first: string | undefined;
    for (const kind of kinds) {
      const partition = (await this.#cursors[kind].peek())?.path[partitionPart];
      if (partition === undefined) continue;
      if (first === undefined || compareNames(partition, first) < 0) first = partition;
    }
    const { to } = this.#ground.scope.partitions ?? {};
    return first === undefined || to === undefined || compareNames(first, to) < 0
      ? first
      : undefined;
  }

  /** Passes over all records of the partition that {@link nextPartition} named. */
  async skip(partition: string): Promise<void> {
    for (const kind of kinds) {
      const path = this.#path(kind, partition);
      while (await this.#cursors[kind].takeUnder(path));
    }
  }

  /** Looks at the partition that {@link nextPartition} named. */
  async look(partition: string): Promise<PartitionLook> {
    const { projection, hash } = this.#ground.target;
    const sums = new PartitionSums(projection.combine);
    const ledger = new ShareLedger(hash);
    const suspectDocuments = new Map<DocumentId, ReadonlySet<string>>();
    const intactDocuments = new Set<DocumentId>();
    let documents = 0;
    let rows = 0;
    for (;;) {
      const document = await this.#nextDocument(partition);
      if (document === undefined) break;
      const found = await this.#takeDocument(partition, document);
      documents++;
      rows += found.stored.rows.size;
      sums.add(found.stored.rows);
      if (this.#hasShares) ledger.add(document, found.stored.rows);
      const marker = this.#markerOf(found);
      if (marker === undefined || !(await this.#agrees(document, marker))) {
        suspectDocuments.set(document, new Set());
        if (marker !== undefined) intactDocuments.add(document);
      }
    }
    await this.#takeShares(partition, ledger);
    for (const [document, keys] of ledger.suspects()) {
      suspectDocuments.set(document, keys);
      intactDocuments.delete(document);
    }
    const { totals, suspectKeys } = await this.#takeTotals(partition, sums);
    return {
      partition,
      documents,
      rows,
      totals,
      suspectDocuments,
      suspectKeys,
      intactDocuments,
    };
  }

  #path(kind: Kind, partition: string): readonly string[] {
    return kindPath(kind, this.#ground.target.generation, partition);
  }

  async #nextDocument(partition: string): Promise<DocumentId | undefined> {
    const [marker, row] = await Promise.all([
      this.#cursors.marker.peek(),
      this.#cursors.row.peek(),
    ]);
    const ids = [marker, row]
      .filter((record) => record?.path[partitionPart] === partition)
      .map((record) => record!.path[partitionPart + 1]!);
    return ids.toSorted(compareNames)[0] as DocumentId | undefined;
  }

  async #takeDocument(partition: string, document: DocumentId): Promise<FoundDocument> {
    const markerRecord = await this.#cursors.marker.takeUnder([
      ...this.#path("marker", partition),
      document,
    ]);
    const { hash, generation } = this.#ground.target;
    const scan = (under: readonly string[]) => this.#cursors.row.under(under);
    const stored = await readStoredRows(scan, hash, generation, { partition, document });
    return { marker: markerIn(markerRecord?.value), stored };
  }

  /** The marker, if it is one of this definition and the rows are as it says. */
  #markerOf({ marker, stored }: FoundDocument): Marker | undefined {
    if (marker === undefined || marker === "damaged") return undefined;
    if (marker.definition !== this.#ground.target.definition) return undefined;
    return marker.rowCount === stored.rows.size && areAsMarked(stored, marker) ? marker : undefined;
  }

  async #agrees(document: DocumentId, marker: Marker): Promise<boolean> {
    const { source } = this.#ground.target;
    await this.#ground.pace.pause(this.#ground.signal);
    const look = await source.look(document);
    if (look.outcome !== "whole" || look.log !== marker.log) return false;
    return !this.#ground.isThorough || (await this.#isMadeSo(document, marker));
  }

  /** Makes the rows of a document anew, for a run that believes no marker. */
  async #isMadeSo(id: DocumentId, marker: Marker): Promise<boolean> {
    const { projection, source, hash } = this.#ground.target;
    const document = await source.describe(id);
    if (!isNamed(document)) return false;
    try {
      const next = await nextRows(projection, source, document, {});
      if (next.outcome !== "whole" || next.log !== marker.log) return false;
      const values = [...next.rows].map(([key, { value }]) => [key, value] as const);
      return rowsDigest(hash, new Map(values)) === marker.rows;
    } catch (error) {
      // What its definition fails on, with whatever error, is looked at once more and counted there.
      if (isHeddleError(error) && error.code !== HeddleErrorCode.projectionInvalid) throw error;
      return false;
    }
  }

  async #takeShares(partition: string, ledger: ShareLedger): Promise<void> {
    const under = this.#path("share", partition);
    for (;;) {
      const record = await this.#cursors.share.takeUnder(under);
      if (record === undefined) return;
      const [key, document] = record.path.slice(-2) as [string, DocumentId];
      ledger.take(key, document, readOr(record.value, decodeRow) ?? "damaged");
    }
  }

  async #takeTotals(
    partition: string,
    sums: PartitionSums,
  ): Promise<{ totals: number; suspectKeys: string[] }> {
    const under = this.#path("total", partition);
    const { keys } = this.#ground.scope;
    const suspects: string[] = [];
    let totals = 0;
    for (;;) {
      const record = await this.#cursors.total.takeUnder(under);
      if (record === undefined) break;
      const key = record.path.at(-1)!;
      const sum = sums.take(key);
      if (!isInRange(key, keys)) continue;
      totals++;
      const total = readOr(record.value, decodeTotal);
      const isEqual =
        total !== undefined &&
        sum?.documents === total.documents &&
        sum.value !== undefined &&
        equalRowValues(sum.value, total.value);
      if (!isEqual) suspects.push(key);
    }
    suspects.push(...[...sums.keysLeft].filter((key) => isInRange(key, keys)));
    return { totals, suspectKeys: suspects };
  }
}

export interface ScanRange {
  /** A partition that was done, with all before it. */
  readonly after?: string | undefined;
  /** Nothing but this partition is read. */
  readonly only?: string | undefined;
}

/** Parts of a path before it: kind, projection, number. */
const partitionPart = 3;

interface FoundDocument {
  readonly marker: ReturnType<typeof markerIn>;
  readonly stored: StoredRows;
}
