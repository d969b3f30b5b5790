import type { DocumentEntry, DocumentId, LogStore } from "@heddle/core";

import { readableDocuments } from "./readable-documents.ts";

/** More documents than this are not told apart from all of them: their ids take some 10 MiB. */
const documentsMaxDefault = 65_536;
/** Documents that are handed out at once. */
const chunkDocuments = 256;

/** What has changed since a place in the change feed. */
export interface ChangedDocuments {
  /** Where the change feed stood: what arrives later is for the next question. */
  readonly arrival: number;
  /** Every document counts as changed. */
  readonly isAll: boolean;
  /** The documents in chunks, each once, in no particular order. Read it once. */
  readonly documents: AsyncIterable<readonly DocumentEntry[]>;
}

/**
 * Documents with envelopes that arrived after group `after`, for a peer that has followed this store up
 * to there. Every document counts as changed where the feed does not reach back so far, or where too many
 * have changed to remember which. The peer has checked before that `after` is of this history: see
 * `LogStore.readIncarnations`.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`; so does the reading of `documents`.
 */
export async function changedDocuments(
  store: LogStore,
  after: number,
  documentsMax = documentsMaxDefault,
): Promise<ChangedDocuments> {
  // First the number: what arrives while documents are read comes again with the next question.
  const arrival = await store.readLastArrival();
  const changed = after > 0 ? await changedSince(store, { after, arrival, documentsMax }) : "all";
  if (changed === "all") {
    return { arrival, isAll: true, documents: inChunks(readableDocuments(store, damagedAreTold)) };
  }
  return { arrival, isAll: false, documents: inChunks(entriesOf(store, changed)) };
}

interface Stretch {
  /** Exclusive. */
  readonly after: number;
  /** Inclusive. */
  readonly arrival: number;
  readonly documentsMax: number;
}

async function changedSince(
  store: LogStore,
  { after, arrival, documentsMax }: Stretch,
): Promise<ReadonlySet<DocumentId> | "all"> {
  const changed = new Set<DocumentId>();
  let last = after;
  for await (const groups of store.readArrivals(after)) {
    for (const { number, runs } of groups) {
      if (number > arrival) return changed;
      // The feed has lost groups at its beginning, and nobody knows any more what they listed.
      if (last === after && number > after + 1) return "all";
      last = number;
      for (const { document } of runs) changed.add(document);
      if (changed.size > documentsMax) return "all";
    }
  }
  return changed;
}

async function* entriesOf(
  store: LogStore,
  documents: ReadonlySet<DocumentId>,
): AsyncIterable<DocumentEntry> {
  for (const id of documents) {
    const document = await store.readDocument(id);
    if (document) yield document;
  }
}

async function* inChunks(
  documents: AsyncIterable<DocumentEntry>,
): AsyncIterable<readonly DocumentEntry[]> {
  let chunk: DocumentEntry[] = [];
  for await (const { id, name, createdAt, history } of documents) {
    chunk.push({ id, name, createdAt, ...(history && { history }) });
    if (chunk.length < chunkDocuments) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

/** By whoever scrubs or audits the store; the feed of the others goes on. */
const damagedAreTold = (): void => undefined;
