import {
  bytesOfId,
  isHeddleError,
  logDigest,
  type DocumentId,
  type Hash,
  type LogStore,
  type SpaceId,
  type StoredDocument,
  type VersionVector,
} from "@heddle/core";
import { LibraryTrie, type SyncRequests } from "@heddle/sync";

import { readableDocuments } from "./readable-documents.ts";

export interface LibraryReading {
  readonly store: LogStore;
  readonly hash: Hash;
  readonly space: SpaceId;
  /** Each document, once. */
  readonly onDocument?: ((document: StoredDocument) => void) | undefined;
  /** Whether all that a vector names counts. Without it everything does, as in the open space. */
  readonly isCounted?: ((document: DocumentId, vector: VersionVector) => boolean) | undefined;
}

/**
 * What a store holds, for comparing with that of a peer. Documents are as their records say: one that was
 * written to since its vector was kept has to be looked at, and so has one of which not all counts.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function readLibrary({
  store,
  hash,
  space,
  isCounted = () => true,
  onDocument = () => {},
}: LibraryReading): Promise<SyncRequests["library"]["answer"]> {
  const library = new LibraryTrie(hash, bytesOfId(space));
  const unsure: DocumentId[] = [];
  // Of what is damaged the digest cannot be said, and that is said when it is asked for.
  for await (const document of readableDocuments(store, (id) => unsure.push(id))) {
    const { id, vector, dirty } = document;
    onDocument(document);
    if (dirty || !isCounted(id, vector)) unsure.push(id);
    else if (vector.size > 0) library.set(id, logDigest(hash, vector));
  }
  return { library, unsure };
}

/**
 * Digest L of each of these documents, as it is on disk now.
 *
 * @param positions of a document; `undefined` when the store does not know it.
 * @throws what `positions` throws, except for HeddleErrors: one document that cannot be read hides none
 * of the others.
 */
export async function readDigests(
  hash: Hash,
  documents: readonly DocumentId[],
  positions: (document: DocumentId) => Promise<VersionVector | undefined>,
): Promise<SyncRequests["digests"]["answer"]> {
  const digests: (Uint8Array | "unreadable" | undefined)[] = [];
  for (const document of documents) {
    try {
      const vector = await positions(document);
      digests.push(vector && vector.size > 0 ? logDigest(hash, vector) : undefined);
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      digests.push("unreadable");
    }
  }
  return digests;
}
