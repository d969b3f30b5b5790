/** When a checkpoint is worth its work. Times are in milliseconds. */
export interface CheckpointPolicy {
  /** Envelopes above the last checkpoint that call for the next one. */
  readonly envelopes: number;
  /** So do bytes: this many, and at least this share of the last checkpoint. */
  readonly bytes: number;
  readonly share: number;
  /** A document that is being written in is left alone until it was quiet for so long … */
  readonly quietMs: number;
  /** … unless its log has grown by so many times what calls for a checkpoint. */
  readonly lateFactor: number;
  /** A document that leaves memory gets one for this share of it. */
  readonly leavingShare: number;
  /**
   * Something parked puts a checkpoint off, because it may be about to change what the checkpoint
   * holds; for this long and no longer, or a stranger's one update would put it off for ever.
   */
  readonly parkedHoldMs: number;
  /** After a build there is a pause of so many times what it took: others need the processor too. */
  readonly restFactor: number;
  readonly restMsMin: number;
  /** What closing may take for documents that are as good as leaving: the next start opens them. */
  readonly closingMsMax: number;
}

/** When a checkpoint is due, when nothing else is said. */
export const defaultCheckpointPolicy: CheckpointPolicy = {
  envelopes: 2_000,
  bytes: 64 * 1024,
  share: 0.5,
  quietMs: 30_000,
  lateFactor: 4,
  leavingShare: 0.5,
  parkedHoldMs: 60 * 60_000,
  restFactor: 4,
  restMsMin: 50,
  closingMsMax: 2_000,
};

/** How far a document has grown above its last checkpoint. */
export interface LogGrowthFacts {
  readonly envelopes: number;
  readonly bytes: number;
  /** Of the last checkpoint, as stored; 0 when there is none. */
  readonly checkpointBytes: number;
  readonly lastWriteMs: number;
  /** Since when it has been large enough; `undefined` before that. */
  readonly dueSinceMs: number | undefined;
  readonly hasParked: boolean;
  /** Nobody uses it, and nothing more will be written soon. */
  readonly isLeaving: boolean;
}

type GrownLog = Pick<LogGrowthFacts, "envelopes" | "bytes" | "checkpointBytes" | "isLeaving">;

/** How many times over a document has grown by what calls for a checkpoint. */
export function growthOf(policy: CheckpointPolicy, facts: GrownLog): number {
  const bytes = Math.max(policy.bytes, policy.share * facts.checkpointBytes);
  const growth = Math.max(facts.envelopes / policy.envelopes, facts.bytes / bytes);
  return facts.isLeaving ? growth / policy.leavingShare : growth;
}

/** The time from which on a checkpoint may be built; `undefined` when none is called for. */
export function checkpointFromMs(
  policy: CheckpointPolicy,
  facts: LogGrowthFacts,
): number | undefined {
  const { dueSinceMs = facts.lastWriteMs, hasParked, isLeaving, lastWriteMs } = facts;
  const growth = growthOf(policy, facts);
  if (growth < 1) return undefined;
  const isAtOnce = isLeaving || growth >= policy.lateFactor;
  const fromMs = isAtOnce ? dueSinceMs : lastWriteMs + policy.quietMs;
  return hasParked ? Math.max(fromMs, dueSinceMs + policy.parkedHoldMs) : fromMs;
}
