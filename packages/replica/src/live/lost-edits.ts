import type { HeddleError } from "@heddle/core";
import { admitUpdate, DocumentKnowledge, parseStored } from "@heddle/document/live";

import type { EditQueue, QueuedEdits } from "./edit-queue.ts";

/** Why the Yjs document cannot go on, and what of it is lost. */
export interface Replacement {
  readonly error: HeddleError;
  readonly refused: QueuedEdits | undefined;
}

/** Takes what is lost with `refused` out of the queue: as updates, and how many edits those hold. */
export function dropLost(
  queue: EditQueue,
  state: Uint8Array,
  refused: QueuedEdits,
): { readonly updates: Uint8Array[]; readonly edits: number } {
  const lost = queue.drop(withoutDependents(state, refused));
  const edits = lost.reduce((sum, entry) => sum + entry.edits, 0);
  return { updates: lost.flatMap(({ bytes }) => bytes ?? []), edits };
}

/**
 * Tells of queued edits, asked in their order, which are lost with `refused`: itself, and what depends
 * on it and not on the log alone.
 *
 * @param state Yjs V1: what is in the log.
 */
function withoutDependents(
  state: Uint8Array,
  refused: QueuedEdits,
): (entry: QueuedEdits) => boolean {
  const knowledge = new DocumentKnowledge();
  knowledge.learn(parseStored(state));
  return (entry) => {
    if (entry === refused) return true;
    if (entry.update === undefined) return false;
    const { admitted, parked } = admitUpdate(knowledge, entry.update);
    if (parked !== undefined) return true;
    if (admitted) knowledge.learn(admitted);
    return false;
  };
}
