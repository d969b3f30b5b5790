import {
  HeddleErrorCode,
  isHeddleError,
  type DocumentId,
  type DocumentVector,
  type Environment,
  type LogStore,
} from "@heddle/core";

import { walkLog } from "./walk-log.ts";

export interface RecoveryReport {
  readonly documentsRead: number;
  /** Documents written to since their vector was last kept. */
  readonly documentsRecovered: number;
  readonly envelopesVerified: number;
  /** These stay closed until repaired; all others work. */
  readonly documentsDamaged: readonly DocumentId[];
  readonly tookMs: number;
}

const vectorsPerBatch = 256;

/**
 * What a replica does after a crash, before it speaks to anybody: reads the log tails of the dirty
 * documents, proves their chains, and keeps the vectors, so that the next start has nothing to do.
 */
export async function recover(store: LogStore, environment: Environment): Promise<RecoveryReport> {
  const { clock, hash, logger } = environment;
  const startedMs = clock.monotonicMs();
  const counts = { documentsRead: 0, documentsRecovered: 0, envelopesVerified: 0 };
  const documentsDamaged: DocumentId[] = [];
  let vectors: DocumentVector[] = [];
  for await (const document of store.readDocuments()) {
    counts.documentsRead++;
    if (!document.dirty) continue;
    const positions = new Map(document.vector);
    try {
      for await (const _ of walkLog({ store, hash, document, positions }))
        counts.envelopesVerified++;
    } catch (error) {
      if (!isOfDocument(error)) throw error;
      documentsDamaged.push(document.id);
      logger.error("recovery.document_damaged", { document: document.id, error: String(error) });
      continue;
    }
    counts.documentsRecovered++;
    vectors.push({ document: document.id, vector: positions });
    if (vectors.length >= vectorsPerBatch) {
      await store.append({ vectors });
      vectors = [];
    }
  }
  if (vectors.length > 0) await store.append({ vectors });
  return { ...counts, documentsDamaged, tookMs: clock.monotonicMs() - startedMs };
}

/** What is wrong with one document; anything else is wrong with the store. */
function isOfDocument(error: unknown): boolean {
  return (
    isHeddleError(error, HeddleErrorCode.storageCorrupt) ||
    isHeddleError(error, HeddleErrorCode.storageVersion)
  );
}
