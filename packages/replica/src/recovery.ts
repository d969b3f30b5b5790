import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  type DocumentId,
  type DocumentVector,
  type Environment,
  type LogStore,
  type VersionVector,
} from "@heddle/core";

import { damageOf } from "./document-damage.ts";
import { readCheckpoint } from "./read-checkpoint.ts";
import { recallsInForce } from "./recalls-in-force.ts";
import { walkLog } from "./walk-log.ts";

/** What an opening found, in counts. */
export interface RecoveryReport {
  /** All that the store holds. */
  readonly documents: number;
  /** Documents written to since their vector was last kept. */
  readonly documentsRead: number;
  /** Those of them that are whole. */
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
  const { clock, logger } = environment;
  const startedMs = clock.monotonicMs();
  const counts = { documentsRead: 0, documentsRecovered: 0, envelopesVerified: 0 };
  const documentsDamaged: DocumentId[] = [];
  let vectors: DocumentVector[] = [];
  for (const id of await store.readDirtyDocuments()) {
    counts.documentsRead++;
    try {
      const vector = await proveTail(store, environment, id, () => counts.envelopesVerified++);
      counts.documentsRecovered++;
      vectors.push({ document: id, vector });
    } catch (cause) {
      const error = damageOf(id, cause);
      if (!isOfDocument(error)) throw error;
      documentsDamaged.push(id);
      logger.error("recovery.document_damaged", { document: id, error: String(error) });
    }
    if (vectors.length >= vectorsPerBatch) {
      await store.append({ vectors });
      vectors = [];
    }
  }
  if (vectors.length > 0) await store.append({ vectors });
  const documents = await store.countDocuments();
  return { ...counts, documents, documentsDamaged, tookMs: clock.monotonicMs() - startedMs };
}

/**
 * The vector at the end of a document's log, which is proved from the kept vector on, or from the
 * checkpoint that the log was pruned below since.
 */
async function proveTail(
  store: LogStore,
  environment: Environment,
  id: DocumentId,
  onEnvelope: () => void,
): Promise<VersionVector> {
  const document = await store.readDocument(id);
  if (document === undefined) {
    const message = `the record of document ${id} is missing`;
    throw new HeddleError(HeddleErrorCode.storageCorrupt, message);
  }
  const positions = new Map(document.vector);
  if ((await store.readFloors(id)).size > 0) {
    const recalls = await recallsInForce(store, id);
    const checkpoint = await readCheckpoint({ store, environment }, id, recalls);
    for (const [lane, position] of checkpoint?.vector ?? []) {
      if (position.seq > (positions.get(lane)?.seq ?? 0)) positions.set(lane, position);
    }
  }
  const { hash } = environment;
  for await (const _ of walkLog({ store, hash, document, positions })) onEnvelope();
  return positions;
}

/** What is wrong with one document; anything else is wrong with the store. */
function isOfDocument(error: unknown): boolean {
  return (
    isHeddleError(error, HeddleErrorCode.storageCorrupt) ||
    isHeddleError(error, HeddleErrorCode.storageVersion)
  );
}
