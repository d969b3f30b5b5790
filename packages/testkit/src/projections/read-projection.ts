import {
  decodeRow,
  decodeTotal,
  equalRowValues,
  kindPath,
  markerIn,
  partitionOf,
  projectionLimits,
  readRecords,
  rowsDigest,
  type GenerationId,
  type Projection,
  type ProjectionSource,
  type ProjectionStore,
  type RowValue,
  type SourceDocument,
} from "@heddle/reconcile";
import type { DocumentId, Hash } from "@heddle/core";

/** Totals of a generation, by partition and key; what is damaged stands out. */
export async function readTotals(
  store: ProjectionStore,
  generation: GenerationId,
): Promise<ReadonlyMap<string, RowValue>> {
  const totals = new Map<string, RowValue>();
  for await (const { path, value } of readRecords(store, kindPath("total", generation))) {
    totals.set(`${path[3]}/${path[4]}`, value === "damaged" ? value : decodeTotal(value).value);
  }
  return totals;
}

/**
 * What does not fit within one generation: rows without their share or marker, totals that are not the
 * sum of their rows. Empty for one that is whole in itself.
 */
export async function inconsistenciesIn(
  store: ProjectionStore,
  {
    projection,
    generation,
    hash,
  }: { projection: Projection; generation: GenerationId; hash: Hash },
): Promise<readonly string[]> {
  const wrong: string[] = [];
  const sums = new Map<string, { value: RowValue; documents: number }>();
  const rowsOf = new Map<string, Map<string, RowValue>>();
  const shares = new Set<string>();
  for await (const { path, value } of readRecords(store, kindPath("row", generation))) {
    const [, , , partition, document, key] = path;
    if (value === "damaged") {
      wrong.push(`damaged row ${path.join("/")}`);
      continue;
    }
    const row = decodeRow(value).value;
    const sum = sums.get(`${partition}/${key}`);
    const added = sum ? projection.combine(sum.value, row) : row;
    sums.set(`${partition}/${key}`, { value: added, documents: (sum?.documents ?? 0) + 1 });
    const place = `${partition}/${document}`;
    rowsOf.set(place, (rowsOf.get(place) ?? new Map<string, RowValue>()).set(key!, row));
    if (projection.subtract === undefined) shares.add(`${partition}/${key}/${document}`);
  }
  for await (const { path, value } of readRecords(store, kindPath("total", generation))) {
    const name = `${path[3]}/${path[4]}`;
    const sum = sums.get(name);
    sums.delete(name);
    const total = value === "damaged" ? undefined : decodeTotal(value);
    const isSame =
      total !== undefined &&
      sum !== undefined &&
      total.documents === sum.documents &&
      equalRowValues(total.value, sum.value);
    if (!isSame) {
      wrong.push(`total ${name} is ${JSON.stringify(total)}, its rows say ${JSON.stringify(sum)}`);
    }
  }
  for (const name of sums.keys()) wrong.push(`no total ${name}`);
  for await (const { path } of readRecords(store, kindPath("share", generation))) {
    const name = `${path[3]}/${path[4]}/${path[5]}`;
    if (!shares.delete(name)) wrong.push(`share ${name} without its row`);
  }
  for (const name of shares) wrong.push(`no share ${name}`);
  for await (const { path, value } of readRecords(store, kindPath("marker", generation))) {
    const place = `${path[3]}/${path[4]}`;
    const marker = markerIn(value);
    const rows = rowsOf.get(place) ?? new Map<string, RowValue>();
    rowsOf.delete(place);
    const isSame = typeof marker === "object" && marker.rows === rowsDigest(hash, rows);
    if (!isSame) wrong.push(`marker ${place} is of other rows`);
  }
  for (const place of rowsOf.keys()) wrong.push(`rows ${place} without their marker`);
  return wrong;
}

/** What totals have to be, by a full recount of the source that shares no code with followers. */
export async function recountSource<Content>(
  projection: Projection<Content>,
  source: ProjectionSource<Content>,
): Promise<ReadonlyMap<string, RowValue>> {
  const totals = new Map<string, RowValue>();
  for await (const document of allDocuments(source)) {
    const partition = partitionOf(projection, document.name);
    if (partition === undefined) continue;
    for (const [key, value] of await rowsOf(projection, source, document)) {
      const name = `${partition}/${key}`;
      const before = totals.get(name);
      totals.set(name, before === undefined ? value : projection.combine(before, value));
    }
  }
  return totals;
}

async function rowsOf<Content>(
  projection: Projection<Content>,
  source: ProjectionSource<Content>,
  document: SourceDocument,
): Promise<ReadonlyMap<string, RowValue>> {
  if (projection.kind === "derive") {
    const reading = await source.read(document.id);
    if (reading.outcome !== "whole") throw new Error(`${document.name} is ${reading.outcome}`);
    return new Map(projection.derive(reading.content, document));
  }
  const reading = await source.readChanges(document.id, new Map());
  if (reading.outcome !== "whole") throw new Error(`${document.name} is ${reading.outcome}`);
  const changes = [];
  for await (const chunk of reading.changes) changes.push(...chunk);
  changes.sort((a, b) => {
    if (a.hlc.wallMs !== b.hlc.wallMs) return a.hlc.wallMs - b.hlc.wallMs;
    if (a.hlc.counter !== b.hlc.counter) return a.hlc.counter - b.hlc.counter;
    return a.lane === b.lane ? a.seq - b.seq : a.lane < b.lane ? -1 : 1;
  });
  const rows = new Map<string, RowValue>();
  for (const change of changes) {
    for (const [key, value] of projection.fold(change)) {
      const before = rows.get(key);
      rows.set(key, before === undefined ? value : projection.combine(before, value));
    }
  }
  return rows;
}

async function* allDocuments(source: ProjectionSource): AsyncIterable<SourceDocument> {
  for (let after: DocumentId | undefined; ;) {
    const page = await source.readDocuments(after, projectionLimits.pageEntriesMax);
    if (page.length === 0) return;
    for (const { id, name } of page) if (name !== undefined) yield { id, name };
    after = page.at(-1)!.id;
  }
}
