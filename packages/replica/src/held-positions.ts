import type { StoredDocument, VersionVector } from "@heddle/core";

import type { Replica } from "./replica.ts";

/**
 * How far every lane of a document is on disk: one that is in use knows it, of one that is not the store
 * has kept it, or has to be read.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function heldPositions(
  replica: Replica,
  stored: StoredDocument,
): Promise<VersionVector> {
  const loaded = replica.loaded(stored.id);
  if (loaded?.isStored) return loaded.whenDurable();
  if (!stored.dirty) return stored.vector;
  return replica.using(stored.name, (document) => document.whenDurable());
}
