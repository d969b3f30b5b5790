import type { DocumentId, RecalledEnvelope } from "@heddle/core";
import { validatorVersion } from "@heddle/document";

import { recallable } from "../recallable.ts";
import type { AuditJournal } from "./audit-journal.ts";
import type { LookTools } from "./look-at-document.ts";
import { findSharedClients } from "./shared-clients.ts";

/**
 * What of a client that two lanes wrote is to be left out and is not yet. What somebody has released was
 * decided by a person; what a checkpoint stands for can be left out no more.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function findToLeaveOut(
  { store, environment }: LookTools,
  document: DocumentId,
): Promise<readonly RecalledEnvelope[]> {
  const shared = await findSharedClients({ store, environment }, document);
  if (shared.length === 0) return [];
  const decided = new Set((await store.readRecalls(document)).map(({ id }) => id));
  const atMs = environment.clock.nowMs();
  const recalls = shared.flatMap(({ id, lane, seq, client }): RecalledEnvelope[] => {
    const reason = `client ${client} was written by another lane before`;
    return decided.has(id) ? [] : [{ id, lane, seq, reason, validatorVersion, atMs }];
  });
  return recalls.length === 0 ? [] : recallable({ store, environment }, document, recalls);
}

/**
 * Leaves it out, in one batch with the entry of the journal, and has the document opened anew.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function leaveOut(
  tools: LookTools & { readonly journal: AuditJournal },
  document: DocumentId,
  correlationId: Uint8Array,
): Promise<void> {
  const { replica, journal } = tools;
  const isDone = await replica.access.reading(document, async () => {
    const left = await findToLeaveOut(tools, document);
    if (left.length === 0) return false;
    const recall = left.map((envelope) => ({ document, envelope }));
    await journal.correct(
      { recall },
      {
        subject: { of: "document", document },
        cause: "fork",
        action: "exchanged",
        result: "applied",
        correlationId,
        detail: `${left.length} envelopes of a client that two lanes wrote are left out`,
      },
    );
    return true;
  });
  if (isDone) replica.reopen(document, "a part of it was written twice; open it again");
}
