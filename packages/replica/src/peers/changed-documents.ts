import type { DocumentEntry, DocumentId, LogStore } from "@heddle/core";

/**
 * Documents that have changed after an arrival number; all of them when the feed does not reach back
 * that far.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function changedDocuments(
  store: LogStore,
  after: number,
): Promise<readonly DocumentEntry[]> {
  const changed = new Set<DocumentId>();
  let next = after + 1;
  for await (const chunk of store.readArrivals(after)) {
    for (const { number, runs } of chunk) {
      if (number !== next) return allDocuments(store);
      for (const { document } of runs) changed.add(document);
      next++;
    }
  }
  const entries: DocumentEntry[] = [];
  for (const id of changed) {
    const document = await store.readDocument(id);
    if (document) entries.push(document);
  }
  return entries;
}

async function allDocuments(store: LogStore): Promise<readonly DocumentEntry[]> {
  const entries: DocumentEntry[] = [];
  for await (const { id, name, createdAt, history } of store.readDocuments()) {
    entries.push({ id, name, createdAt, ...(history && { history }) });
  }
  return entries;
}
