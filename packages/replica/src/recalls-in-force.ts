import { isReleased, type DocumentId, type LogStore, type RecalledEnvelope } from "@heddle/core";

/** The recalls of a document that nobody has released. */
export async function recallsInForce(
  store: LogStore,
  document: DocumentId,
): Promise<RecalledEnvelope[]> {
  return (await store.readRecalls(document)).filter((recall) => !isReleased(recall));
}
