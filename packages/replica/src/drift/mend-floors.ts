import type { DocumentId, DocumentSurvey } from "@heddle/core";

import { verifyCheckpoint, type VerifiedCheckpoint } from "../read-checkpoint.ts";
import { isDamage, type AuditNote } from "./audit-journal.ts";
import type { MendingHere } from "./mend-here.ts";

/**
 * Writes floors anew whose records are damaged: each right below the first envelope that is here of its lane, or
 * where none is, where the checkpoint ends. That takes nothing away as a checkpoint covers all that lies below; whether the
 * log goes on from it is proven by the look that follows.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function mendFloors(
  tools: MendingHere,
  survey: DocumentSurvey,
  note: Omit<AuditNote, "detail">,
): Promise<void> {
  const { document } = survey;
  const lost = survey.lanes.filter(({ isFloorLost }) => isFloorLost);
  if (lost.length === 0) return;
  for (const checkpoint of await wholeCheckpoints(tools, document)) {
    const covers = lost.every(({ lane, floor }) => {
      return (checkpoint.vector.get(lane)?.seq ?? 0) >= floor;
    });
    if (!covers) continue;
    const floors = new Map(
      lost.map(({ lane, floor, lastSeq }) => {
        // Nothing of it is here: what came after it was kept is in the checkpoint as well.
        return [lane, lastSeq > floor ? floor : checkpoint.vector.get(lane)!.seq];
      }),
    );
    const count = `${lost.length} floors of lanes`;
    const detail = `here: ${count} were damaged, and are what checkpoint ${checkpoint.number} and the log say`;
    await tools.journal.correct(
      { mend: [{ document, floors }] },
      { ...note, action: "corrected", detail },
    );
    return;
  }
}

/** Newest first, up to one that is damaged; none where that cannot even be listed. */
async function wholeCheckpoints(
  tools: MendingHere,
  document: DocumentId,
): Promise<readonly VerifiedCheckpoint[]> {
  const whole: VerifiedCheckpoint[] = [];
  try {
    for (const stored of await tools.store.readCheckpoints(document)) {
      whole.push(await verifyCheckpoint(tools, stored));
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  return whole;
}
