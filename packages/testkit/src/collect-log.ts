import {
  assert,
  toHex,
  type DocumentId,
  type LogRange,
  type LogStore,
  type ParkedUpdate,
  type StoredEnvelope,
  type VersionVector,
} from "@heddle/core";

/** All items of chunks, none of which may be empty. */
export async function collectChunks<Item>(chunks: AsyncIterable<readonly Item[]>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const chunk of chunks) {
    assert(chunk.length > 0, "no chunk is empty");
    items.push(...chunk);
  }
  return items;
}

export async function collect<Item>(source: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** The log of a document, in the order of the store. */
export function collectLog(
  store: LogStore,
  document: DocumentId,
  above?: VersionVector,
): Promise<StoredEnvelope[]> {
  return collectChunks(store.readLog(document, above));
}

/** The log of a document, in the order in which it arrived. */
export function collectLogByArrival(
  store: LogStore,
  document: DocumentId,
  range?: LogRange,
): Promise<StoredEnvelope[]> {
  return collectChunks(store.readLogByArrival(document, range));
}

/** Everything a store holds as plain strings and numbers, so that two stores can be compared. */
export interface LogPicture {
  readonly lanes: readonly string[];
  readonly documents: readonly DocumentPicture[];
  /** `document lane seq` of each envelope, in the order of the change feed. */
  readonly arrivals: readonly string[];
}

export interface DocumentPicture {
  readonly name: string;
  readonly dirty: boolean;
  /** `lane seq head`, sorted. */
  readonly vector: readonly string[];
  /** `lane seq bytes`, in the order of the log. */
  readonly log: readonly string[];
  readonly parked: readonly string[];
}

export async function pictureOf(store: LogStore): Promise<LogPicture> {
  const documents: DocumentPicture[] = [];
  for await (const { id, name, vector, dirty } of store.readDocuments()) {
    const log = (await collectLog(store, id)).map(picturedEnvelope);
    const parked = (await store.readParked(id)).map(picturedParked);
    documents.push({ name, dirty, vector: picturedVector(vector), log, parked });
  }
  const arrivals = await collectChunks(store.readArrivals(0));
  return {
    lanes: (await collect(store.readLanes())).map(({ id }) => id),
    documents,
    arrivals: arrivals
      .flatMap(({ runs }) => runs)
      .flatMap(({ document, lane, fromSeq, toSeq }) => {
        const seqs = Array.from({ length: toSeq - fromSeq + 1 }, (_, index) => fromSeq + index);
        return seqs.map((seq) => `${document} ${lane} ${seq}`);
      }),
  };
}

export function picturedEnvelope({ lane, seq, bytes }: StoredEnvelope): string {
  return `${lane} ${seq} ${toHex(bytes)}`;
}

export function picturedParked({ id, update, parkedAtMs, principal }: ParkedUpdate): string {
  return `${id} ${toHex(update)} ${parkedAtMs} ${toHex(principal ?? new Uint8Array())}`;
}

export function picturedVector(vector: VersionVector): string[] {
  return [...vector].map(([lane, { seq, head }]) => `${lane} ${seq} ${toHex(head)}`).toSorted();
}
