import { admitUpdate, DocumentKnowledge, parseStored } from "@heddle/document";

import type { QueuedEdits } from "./edit-queue.ts";

/**
 * Tells of queued edits, asked in their order, which are lost with `refused`: itself, and what depends
 * on it and not on the log alone.
 *
 * @param state Yjs V1: what is in the log.
 */
export function withoutDependents(
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
