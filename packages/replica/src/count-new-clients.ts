import type { DocumentKnowledge, ParsedUpdate } from "@heddle/document";

/** How many Yjs clients an update brings of which nothing is known. */
export function countNewClients(
  knowledge: DocumentKnowledge,
  update: ParsedUpdate | undefined,
): number {
  let count = 0;
  let previous = -1;
  // Runs of one client stand together.
  for (const { client } of update?.runs ?? []) {
    if (client !== previous && knowledge.clockOf(client) === 0) count++;
    previous = client;
  }
  return count;
}
