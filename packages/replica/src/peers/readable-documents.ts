import type { DocumentId, HeddleError, LogStore, StoredDocument } from "@heddle/core";

import { isDamage } from "../drift/audit-journal.ts";

/**
 * All documents, in the order of their ids. One whose records are damaged hides none of the others: it is left out,
 * and told.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`, but not for damage of a document.
 */
export async function* readableDocuments(
  store: Pick<LogStore, "readDocuments" | "readDocumentIds" | "readDocument">,
  onDamaged: (document: DocumentId, error: HeddleError) => void,
): AsyncIterable<StoredDocument> {
  let last: DocumentId | undefined;
  try {
    for await (const document of store.readDocuments()) {
      last = document.id;
      yield document;
    }
    return;
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  // From there on one by one: damaged documents are few, and so is what comes here.
  for (const id of await store.readDocumentIds()) {
    if (last !== undefined && id <= last) continue;
    try {
      const document = await store.readDocument(id);
      if (document) yield document;
    } catch (error) {
      if (!isDamage(error)) throw error;
      onDamaged(id, error);
    }
  }
}
