import type { DocumentKnowledge } from "./document-knowledge.ts";
import type { ParsedUpdate } from "./parsed-update.ts";
import { cutBefore, pieceOf, readerOf } from "./struct-piece.ts";
import { noClient } from "./struct-reader.ts";

/**
 * What a parked update waits for: each pair says that something of it may become admissible once the
 * known clock of `client` reaches `clock`. Nothing else can make a difference to it.
 */
export function blockersOf(
  knowledge: DocumentKnowledge,
  parked: ParsedUpdate,
): ReadonlyMap<number, number> {
  const blockers = new Map<number, number>();
  const wait = (client: number, clock: number): void => {
    if (clock <= knowledge.clockOf(client)) return;
    const known = blockers.get(client);
    if (known === undefined || clock < known) blockers.set(client, clock);
  };
  for (const run of parked.runs) {
    const clock = knowledge.clockOf(run.client);
    wait(run.client, run.clock);
    const rest = run.clock > clock ? undefined : cutBefore(pieceOf(parked, run), clock);
    if (rest === undefined) continue;
    const reader = readerOf(rest);
    reader.next();
    if (reader.originClient !== noClient) wait(reader.originClient, reader.originClock + 1);
    if (reader.rightClient !== noClient) wait(reader.rightClient, reader.rightClock + 1);
    if (reader.parentClient !== noClient) wait(reader.parentClient, reader.parentClock + 1);
  }
  for (const { client, ranges } of parked.deletes) {
    const known = knowledge.clockOf(client);
    for (let index = 0; index < ranges.length; index += 2) {
      // The first range that reaches beyond what is known has its next unknown clock waited for.
      if (ranges[index + 1]! > known) {
        wait(client, Math.max(ranges[index]!, known) + 1);
        break;
      }
    }
  }
  return blockers;
}
