import type { DocumentHistory, LogStore } from "@heddle/core";

import type { ReplicaDocument } from "./replica-document.ts";

/**
 * Writes how far the lanes of documents reach, where the store does not have that yet.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function keepVectors(
  store: LogStore,
  documents: readonly ReplicaDocument[],
): Promise<void> {
  const vectors = documents.flatMap((document) => {
    const vector = document.takeNewVector();
    return vector ? [{ document: document.entry.id, vector }] : [];
  });
  if (vectors.length > 0) await store.append({ vectors });
}

/**
 * Writes whether a document keeps what checkpoints cover. With one that was never written it is written
 * when that is, if ever.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function keepHistory(
  store: LogStore,
  document: ReplicaDocument,
  history: DocumentHistory,
): Promise<void> {
  await document.whenSettled();
  document.logged.history = history;
  const stored = document.isStored && (await store.readDocument(document.entry.id));
  if (!stored) return;
  const { id, name, createdAt } = stored;
  await store.append({ documents: [{ id, name, createdAt, history }] });
}
