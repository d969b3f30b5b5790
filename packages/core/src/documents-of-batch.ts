import type { DocumentId } from "./ids.ts";
import type { LogBatch } from "./log-store.ts";

/**
 * Documents about which a batch says something that a reader of them may see. Kept vectors are left out: they
 * say again what the log says.
 */
export function documentsOfBatch(batch: LogBatch): ReadonlySet<DocumentId> {
  const documents = new Set((batch.documents ?? []).map(({ id }) => id));
  const parts: readonly (readonly { readonly document: DocumentId }[] | undefined)[] = [
    batch.envelopes,
    batch.park,
    batch.release,
    batch.quarantine,
    batch.recall,
    batch.checkpoints,
    batch.prune,
    batch.adopt,
    batch.forks,
    batch.accept,
    batch.refused,
    batch.mend,
  ];
  for (const part of parts) for (const { document } of part ?? []) documents.add(document);
  return documents;
}
