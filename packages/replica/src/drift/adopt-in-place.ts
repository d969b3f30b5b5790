import {
  decodeEnvelope,
  PayloadCodec,
  type DocumentId,
  type DocumentSurvey,
  type LaneId,
} from "@heddle/core";
import { ClockRanges, decodeStateVector } from "@heddle/document";
import { reachesFloors, type AdoptAnswer, type OfferedCheckpoint } from "@heddle/sync";

import { parsePayload } from "../log-reading.ts";
import { prove, Refusal, type CheckpointAdopting, type Proved } from "../peers/adopt-checkpoint.ts";
import { recallsInForce } from "../recalls-in-force.ts";
import type { AuditJournal } from "./audit-journal.ts";
import { reachOf } from "./degraded-documents.ts";

/**
 * Puts a peer's checkpoint in the place of what is damaged here: of a checkpoint that is lost, and of
 * envelopes that only the checkpoint has any more. What is whole and not covered stays; what is whole and
 * goes, as it lies below a hole, has to be in the state. One batch, with its audit entry.
 *
 * @returns `unreadable` when it is there: the machine begins anew with what is on the disk then.
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function adoptInPlace(
  adopting: CheckpointAdopting & { readonly journal: AuditJournal },
  offered: OfferedCheckpoint,
  correlationId: Uint8Array | undefined,
): Promise<AdoptAnswer> {
  const { store, environment, journal } = adopting;
  const { id } = offered.entry;
  try {
    const survey = await store.surveyDocument(id);
    if (survey === undefined) throw new Refusal("content", "nothing of the document is here");
    const proved = await prove(adopting, offered);
    const floors = new Map(survey.lanes.map(({ lane, floor }) => [lane, floor]));
    if (!reachesFloors(proved.vector, floors)) {
      throw new Refusal("content", "it does not stand for all that was dropped here");
    }
    if ((await recallsInForce(store, id)).length > 0) {
      throw new Refusal("content", "something is recalled here");
    }
    const raised = raisedBy(survey, proved);
    await assertNothingLost(adopting, survey, { raised, proved });
    const number = Math.max(0, ...survey.checkpoints.map((one) => one.number)) + 1;
    const { header, payload } = offered;
    const checkpoint = {
      document: id,
      number,
      header: header.bytes,
      vector: proved.chunks,
      state: payload,
    };
    const damaged = survey.checkpoints.filter(({ isWhole }) => !isWhole);
    const mend = [{ document: id, checkpoints: damaged.map((one) => one.number) }];
    await journal.correct(
      { adopt: [{ document: id, checkpoint, floors: raised }], mend },
      {
        subject: { of: "document", document: id },
        cause: "damaged-store",
        action: "refetched",
        result: "applied",
        correlationId,
        detail: `a checkpoint of a peer, in the place of ${damaged.length} here`,
      },
    );
    return { outcome: "unreadable" };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const fields = { document: id, reason: error.message };
    environment.logger.warn("checkpoint.not_adopted", fields);
    return { outcome: "refused", reason: error.reason };
  }
}

/** Lanes that begin above the checkpoint from now on: with a hole that it covers, or an end beyond ours. */
function raisedBy(survey: DocumentSurvey, { vector }: Proved): Map<LaneId, number> {
  const raised = new Map<LaneId, number>();
  const known = new Map(survey.lanes.map((lane) => [lane.lane, lane]));
  for (const [lane, { seq }] of vector) {
    const here = known.get(lane);
    const [hole] = here?.holes ?? [];
    const isCovering = hole !== undefined && hole.fromSeq <= seq;
    if (isCovering || seq > (here?.lastSeq ?? 0)) raised.set(lane, seq);
  }
  return raised;
}

interface Dropping {
  readonly raised: ReadonlyMap<LaneId, number>;
  readonly proved: Proved;
}

/** Whole envelopes that go have to be in the state that stands for them. */
async function assertNothingLost(
  { store, environment }: CheckpointAdopting,
  survey: DocumentSurvey,
  { raised, proved }: Dropping,
): Promise<void> {
  const { document: id } = survey;
  const reach = reachOf(survey, false);
  const upTo = new Map(
    [...raised].flatMap(([lane, seq]) => {
      const end = Math.min(seq, reach.get(lane) ?? 0);
      return end > 0 ? [[lane, end] as const] : [];
    }),
  );
  const clocks = decodeStateVector(proved.folded.built.stateVector);
  const deleted = new Map(
    proved.folded.built.deletes.map(({ client, ranges }) => {
      return [client, new ClockRanges([...ranges])] as const;
    }),
  );
  for await (const chunk of store.readLogByArrival(id as DocumentId, { upTo })) {
    for (const { bytes } of chunk) {
      const envelope = decodeEnvelope(environment.hash, bytes);
      if (envelope.codec !== PayloadCodec.yjsV1) continue;
      const { runs, deletes } = parsePayload(envelope);
      const isHeld = runs.every(({ client, endClock }) => (clocks.get(client) ?? 0) >= endClock);
      const isDeleted = deletes.every(({ client, ranges }) => {
        for (let index = 0; index < ranges.length; index += 2) {
          if (!deleted.get(client)?.covers(ranges[index]!, ranges[index + 1]!)) return false;
        }
        return true;
      });
      if (!isHeld || !isDeleted) {
        throw new Refusal("content", `it lacks envelope ${envelope.seq} of lane ${envelope.lane}`);
      }
    }
  }
}
