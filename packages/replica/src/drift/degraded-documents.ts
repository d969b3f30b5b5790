import {
  decodeEnvelope,
  equalBytes,
  HeddleError,
  HeddleErrorCode,
  type DocumentEntry,
  type DocumentId,
  type DocumentSurvey,
  type Envelope,
  type Environment,
  type LaneId,
  type LanePosition,
  type LogStore,
  type SurveyedLane,
} from "@heddle/core";
import type { DriftCause } from "@heddle/reconcile";
import type { StoreAnswer, SyncRequests } from "@heddle/sync";

import type { AuditJournal } from "./audit-journal.ts";

export interface DegradedTools {
  readonly store: LogStore;
  readonly environment: Environment;
  readonly journal: AuditJournal;
  /** Something of it came back. */
  readonly onMended: (document: DocumentId) => void;
}

/** In whose name entries of the journal are. */
export interface DegradedCase {
  readonly correlationId: Uint8Array;
  readonly cause: DriftCause;
}

/** A document as far as it is whole. */
export interface SoundPart {
  readonly entry: DocumentEntry;
  /** Up to the first hole of each lane. */
  readonly vector: ReadonlyMap<LaneId, LanePosition>;
}

/**
 * Documents whose records are damaged, as peers see them: each lane ends where the first of its records is
 * missing. So the ordinary exchange brings what is missing, and gives away what is not; of two replicas
 * that are damaged in different places the one with the lower hole is helped first, and then the other.
 * What lies behind a hole stays where it is, and counts again when the hole is filled.
 */
export class DegradedDocuments {
  readonly #tools: DegradedTools;
  readonly #documents = new Map<DocumentId, DegradedCase>();

  constructor(tools: DegradedTools) {
    this.#tools = tools;
  }

  get count(): number {
    return this.#documents.size;
  }

  has(id: DocumentId): boolean {
    return this.#documents.has(id);
  }

  begin(id: DocumentId, of: DegradedCase): void {
    this.#documents.set(id, of);
  }

  /** It is whole again, or gone. */
  end(id: DocumentId): void {
    this.#documents.delete(id);
  }

  caseOf(id: DocumentId): DegradedCase | undefined {
    return this.#documents.get(id);
  }

  /**
   * What of it can be said to be here.
   *
   * @param isBaseLost nothing stands for what was dropped below the floors.
   * @throws HeddleError `HEDDLE_STORAGE_*`, `..._CORRUPT` where not even its name is left.
   */
  async soundPart(id: DocumentId, isBaseLost: boolean, allowed?: Allowed): Promise<SoundPart> {
    const { store, environment } = this.#tools;
    const survey = await store.surveyDocument(id);
    if (survey?.entry === undefined) {
      const message = `the record of document ${id} is lost, and its name with it`;
      throw new HeddleError(HeddleErrorCode.storageCorrupt, message);
    }
    const upTo = reachOf(survey, isBaseLost, allowed);
    const vector = new Map<LaneId, LanePosition>();
    for await (const chunk of store.readLogByArrival(id, { upTo })) {
      for (const { lane, seq, bytes } of chunk) {
        const { id: head } = decodeEnvelope(environment.hash, bytes);
        if (seq === upTo.get(lane)) vector.set(lane, { seq, head: head.slice() });
      }
    }
    return { entry: survey.entry, vector };
  }

  /** Takes what fills holes, and nothing else: what is new waits until the document is whole. */
  async take({ entry, runs }: SyncRequests["store"]["ask"]): Promise<StoreAnswer> {
    const { store, journal } = this.#tools;
    const { id } = entry;
    const survey = await store.surveyDocument(id);
    const lanes = new Map(survey?.lanes.map((lane) => [lane.lane, lane]));
    const verdicts: ("stored" | "incomplete")[] = [];
    const mended: Envelope[] = [];
    for (const { lane, run } of runs) {
      const known = lanes.get(lane.id);
      const fitting = known ? await this.#fitting(id, known, run) : undefined;
      mended.push(...(fitting ?? []));
      const isAll = known !== undefined && run.at(-1)!.seq <= known.lastSeq;
      verdicts.push(isAll && fitting ? "stored" : "incomplete");
    }
    if (mended.length > 0) {
      const batch = { mend: [{ document: id, envelopes: mended }] };
      await journal.correct(batch, {
        subject: { of: "document", document: id },
        action: "refetched",
        result: "applied",
        ...(this.#documents.get(id) ?? { cause: "damaged-store" }),
        detail: `${mended.length} envelopes, the first ${mended[0]!.seq} of lane ${mended[0]!.lane}`,
      });
      this.#tools.onMended(id);
    }
    return { outcome: "stored", verdicts, arrival: await store.readLastArrival() };
  }

  /** What of a run lies in holes; `undefined` where it does not join what is whole behind one. */
  async #fitting(
    id: DocumentId,
    lane: SurveyedLane,
    run: readonly Envelope[],
  ): Promise<readonly Envelope[] | undefined> {
    const bySeq = new Map(run.map((envelope) => [envelope.seq, envelope]));
    const fitting: Envelope[] = [];
    for (const { fromSeq, toSeq } of lane.holes) {
      const last = bySeq.get(toSeq);
      if (last && !(await this.#joins(id, lane, last))) {
        const { logger } = this.#tools.environment;
        logger.error("drift.mend_refused", { document: id, lane: lane.lane, seq: toSeq });
        return undefined;
      }
      for (let seq = Math.max(fromSeq, run[0]!.seq); seq <= toSeq && bySeq.has(seq); seq++) {
        fitting.push(bySeq.get(seq)!);
      }
    }
    return fitting;
  }

  /** Whether the next whole envelope, or the kept vector at the end, goes on from `last`. */
  async #joins(id: DocumentId, { lane, lastSeq }: SurveyedLane, last: Envelope): Promise<boolean> {
    const { store, environment } = this.#tools;
    if (last.seq === lastSeq) {
      const document = await store.readDocument(id);
      const kept = document?.vector.get(lane);
      return kept?.seq !== last.seq || equalBytes(kept.head, last.id);
    }
    const above = new Map([[lane, last.seq]]);
    const upTo = new Map([[lane, last.seq + 1]]);
    for await (const [next] of store.readLogByArrival(id, { lane, above, upTo })) {
      return (
        next !== undefined && equalBytes(decodeEnvelope(environment.hash, next.bytes).prev, last.id)
      );
    }
    return false;
  }
}

/** How much of a lane counts, whatever is held of it. */
export type Allowed = (lane: LaneId) => number;

/** How far each lane goes without a hole; lanes of which that is nothing are left out. */
export function reachOf(
  survey: DocumentSurvey,
  isBaseLost: boolean,
  allowed: Allowed = () => Infinity,
): ReadonlyMap<LaneId, number> {
  const reach = new Map<LaneId, number>();
  for (const { lane, floor, lastSeq, holes } of survey.lanes) {
    const [first] = holes;
    const end = Math.min(first ? first.fromSeq - 1 : lastSeq, allowed(lane));
    if (end > floor && !(isBaseLost && floor > 0)) reach.set(lane, end);
  }
  return reach;
}
