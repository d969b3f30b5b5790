import {
  decodeEnvelope,
  HeddleError,
  HeddleErrorCode,
  type DocumentId,
  type LaneId,
  type LanePosition,
} from "@heddle/core";

import type { CheckpointBuilder } from "../build-checkpoint.ts";
import { checkpointDocument } from "../checkpointer.ts";
import { readCheckpoint } from "../read-checkpoint.ts";
import { recallsInForce } from "../recalls-in-force.ts";
import type { Replica } from "../replica.ts";
import { isDamage, type AuditJournal, type AuditNote } from "./audit-journal.ts";
import type { DriftLook } from "./look-at-document.ts";
import { mendFloors } from "./mend-floors.ts";

export interface MendingHere extends CheckpointBuilder {
  readonly replica: Replica;
  readonly journal: AuditJournal;
}

/**
 * Mends what the disk here knows by itself: a kept vector that is lost, from the ends of the lanes; a
 * checkpoint that is damaged or wrong, from the log. Does nothing where the log itself is not whole, and never
 * takes away the only thing that stands for what was dropped.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function mendHere(
  mending: MendingHere,
  look: DriftLook,
  correlationId: Uint8Array,
): Promise<void> {
  const { survey } = look;
  const { document: id } = survey;
  const note: Note = {
    subject: { of: "document", document: id },
    cause: "damaged-store",
    action: "checkpointed",
    result: "applied",
    correlationId,
  };
  await mendFloors(mending, survey, note);
  // With holes, too: without a vector nobody can say how far the lanes are whole.
  if (survey.isVectorLost) await writeVector(mending, look, note);
  if (survey.lanes.some(({ holes }) => holes.length > 0)) return;
  await mending.replica.access.pruning(id, () => replaceCheckpoints(mending, look, note));
}

type Note = Omit<AuditNote, "detail">;

/** Only while nobody has the document in memory: who does keeps its vector when it leaves. */
async function writeVector(
  { replica, environment, journal }: MendingHere,
  { survey }: DriftLook,
  note: Note,
): Promise<void> {
  const vector = new Map<LaneId, LanePosition>();
  for (const { lane, lastSeq, last } of survey.lanes) {
    const end = last && decodeEnvelope(environment.hash, last);
    // All of the lane was dropped, and only a checkpoint knows its head; or its end is lost.
    if (end?.seq !== lastSeq) return;
    vector.set(lane, { seq: lastSeq, head: end.id });
  }
  if (replica.loaded(survey.document)) return;
  const batch = { vectors: [{ document: survey.document, vector }] };
  await journal.correct(batch, { ...note, detail: "the kept vector, from the ends of its lanes" });
}

async function replaceCheckpoints(
  mending: MendingHere,
  { survey, checkpointsWrong, finding }: DriftLook,
  note: Note,
): Promise<void> {
  const { store, journal, environment } = mending;
  const { document: id } = survey;
  const damaged = survey.checkpoints.filter(({ isWhole }) => !isWhole).map(({ number }) => number);
  const isWrong = damaged.length === 0 && finding?.cause === "damaged-store";
  const hasFloors = survey.lanes.some(({ floor }) => floor > 0);
  // All of the log is here and says something else than the checkpoint, which so cannot be believed.
  const all = isWrong && !hasFloors ? survey.checkpoints.map(({ number }) => number) : [];
  const numbers = [...new Set([...damaged, ...checkpointsWrong, ...all])];
  if (numbers.length === 0) return;
  if (hasFloors && !(await hasBase(mending, id))) return;
  const detail = `checkpoint ${numbers.join(", ")} was damaged, and goes`;
  await journal.correct({ mend: [{ document: id, checkpoints: numbers }] }, { ...note, detail });
  const built = await checkpointDocument(mending, id);
  const fields = { document: id, outcome: built.outcome };
  environment.logger.info("drift.checkpointed", fields);
  if (built.outcome === "refused") {
    const message = `no checkpoint of document ${id}: ${built.reason}`;
    throw new HeddleError(HeddleErrorCode.storageCorrupt, message);
  }
  // Read back by whoever looks next.
  await store.readCheckpoints(id);
}

/** Whether something whole stands for what was dropped. */
export async function hasBase(
  tools: Pick<CheckpointBuilder, "store" | "environment">,
  id: DocumentId,
): Promise<boolean> {
  try {
    const recalls = await recallsInForce(tools.store, id);
    await readCheckpoint(tools, id, recalls);
    return true;
  } catch (error) {
    if (isDamage(error)) return false;
    throw error;
  }
}
