import type { Envelope } from "./envelope.ts";
import type { DocumentId, LaneId } from "./ids.ts";
import type { DocumentEntry } from "./log-store.ts";

/** What is whole of a document whose records may be damaged, by their own checksums. */
export interface DocumentSurvey {
  readonly document: DocumentId;
  /** Missing where its own record is lost, and its name with it. */
  readonly entry: DocumentEntry | undefined;
  /** In the order of opening. */
  readonly lanes: readonly SurveyedLane[];
  /** Newest first. */
  readonly checkpoints: readonly SurveyedCheckpoint[];
  /** The kept vector cannot be read: that a lane has lost its end would not be noticed. */
  readonly isVectorLost: boolean;
  /** Something else of it is damaged, which no peer can bring: parking, quarantine, recalls, floors. */
  readonly others: readonly string[];
}

export interface SurveyedLane {
  readonly lane: LaneId;
  readonly floor: number;
  /**
   * The record of its floor is damaged: `floor` is then right below the first envelope that is here, or where
   * none is, at what was kept of the lane.
   */
  readonly isFloorLost?: true | undefined;
  /** The highest seq that anything here names. */
  readonly lastSeq: number;
  /** What is damaged or missing above the floor, ascending. */
  readonly holes: readonly SeqRange[];
  /** Records in the holes that are there and cannot be read; of all else in them there is none. */
  readonly damaged: number;
  /** The last envelope that is whole, encoded; missing where none is in the log. */
  readonly last?: Uint8Array | undefined;
}

export interface SeqRange {
  readonly fromSeq: number;
  /** Inclusive. */
  readonly toSeq: number;
}

export interface SurveyedCheckpoint {
  readonly number: number;
  /** All of its records are there. What they say is for `isCheckpointWhole`. */
  readonly isWhole: boolean;
}

/**
 * Puts back what a survey missed. Envelopes take the place that they had in the order of arrival, as far
 * as the change feed remembers it. Nothing that is whole is written over with something else.
 */
export interface LogMend {
  readonly document: DocumentId;
  /** As another replica has them, and proven to belong there. */
  readonly envelopes?: readonly Envelope[];
  /** Numbers of checkpoints that are damaged and have been replaced: all that is left of them goes. */
  readonly checkpoints?: readonly number[];
  /** Floors whose records cannot be read; those that are whole, or not there, stay as they are. */
  readonly floors?: ReadonlyMap<LaneId, number>;
  /** Of a document of which there is something, and of which this record cannot be read; a whole one stays. */
  readonly entry?: DocumentEntry;
}

/** An entry of the audit journal, which only `@heddle/reconcile` can read. */
export interface AuditRecord {
  /** Ascending; where the journal is full the oldest go. */
  readonly number: number;
  /** Missing where the record is damaged: it hides none of the others. */
  readonly bytes: Uint8Array | undefined;
}

/** As it is written, and read where it is not damaged. */
export interface WholeAuditRecord extends AuditRecord {
  readonly bytes: Uint8Array;
}
