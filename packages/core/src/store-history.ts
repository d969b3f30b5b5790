import type { DocumentId, LaneId } from "./ids.ts";

/**
 * Why an opening does not continue where the store was last seen. What was acknowledged since then may
 * be gone: nothing may build on numbers and positions that were told to others before.
 *
 * - `groups-lost`: the log ends before a group that was on disk.
 * - `history-differs`: it holds another group in that place, or does not know its own last opening.
 * - `copied`: the folder is a copy of the one that was written last.
 * - `restored`: it was restored from a backup or repaired from what was left.
 * - `witness-missing`, `witness-damaged`: nobody can tell.
 * - `log-damaged`: what LevelDB had not put into tables was damaged at its end, so that nobody can tell.
 */
export interface StoreRollback {
  readonly reason: RollbackReason;
  /** Commit groups that are known to be gone. */
  readonly groupsLost: number;
}

export const rollbackReasons = [
  "groups-lost",
  "history-differs",
  "copied",
  "restored",
  "witness-missing",
  "witness-damaged",
  "log-damaged",
] as const;
export type RollbackReason = (typeof rollbackReasons)[number];

/** One opening of a store. */
export interface Incarnation {
  /** 16 random bytes. */
  readonly nonce: Uint8Array;
  /** Number of the first commit group that it could write. */
  readonly firstArrival: number;
  readonly openedAtMs: number;
  readonly rollback?: RollbackReason | undefined;
}

/** A part of the log that another replica may still hold. */
export interface RepairRequest {
  /** Of the damaged record, in hex: asking twice is asking once. */
  readonly id: string;
  /** For people: which record, and what is wrong with it. */
  readonly what: string;
  /** What is missing, as far as it is known; without a lane the whole document. */
  readonly document?: DocumentId | undefined;
  readonly lane?: LaneId | undefined;
  readonly fromSeq?: number | undefined;
  /** Inclusive. */
  readonly toSeq?: number | undefined;
  readonly foundAtMs: number;
}
