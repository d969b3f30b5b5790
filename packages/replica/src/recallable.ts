import type { DocumentId, RecalledEnvelope } from "@heddle/core";

import { readCheckpoint, type CheckpointTools } from "./read-checkpoint.ts";
import { recallsInForce } from "./recalls-in-force.ts";

/**
 * Those of `recalls` that can still be done. Where the log begins above floors, what the checkpoint
 * covers is in its state, and there is no way to fold it again without.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function recallable(
  tools: CheckpointTools,
  document: DocumentId,
  recalls: readonly RecalledEnvelope[],
): Promise<readonly RecalledEnvelope[]> {
  const { store } = tools;
  if ((await store.readFloors(document)).size === 0) return recalls;
  const inForce = await recallsInForce(store, document);
  const { vector } = (await readCheckpoint(tools, document, inForce)) ?? {};
  return recalls.filter(({ lane, seq }) => seq > (vector?.get(lane)?.seq ?? 0));
}
