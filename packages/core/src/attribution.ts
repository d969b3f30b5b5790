import type { Hlc } from "./hybrid-clock.ts";
import type { LaneId } from "./ids.ts";

/**
 * What is left of envelopes that were dropped below a checkpoint: who wrote which clocks, when, why.
 * Stands for one envelope or for several of one writer. The device is that of the lane's descriptor.
 */
export interface Attribution {
  readonly lane: LaneId;
  /** First and last of the envelopes; others of the lane may lie between them. */
  readonly fromSeq: number;
  readonly toSeq: number;
  /** How many envelopes it stands for. */
  readonly envelopes: number;
  readonly firstHlc: Hlc;
  readonly lastHlc: Hlc;
  /** Yjs client → clocks as flat pairs `[clock, endClock, …]`, ascending, never touching. */
  readonly clients: ReadonlyMap<number, readonly number[]>;
  /** UTF-8, as in an envelope; so are the next two. Missing where writers were joined. */
  readonly principal?: Uint8Array | undefined;
  readonly correlationId?: Uint8Array | undefined;
  readonly reason?: Uint8Array | undefined;
  /** Records of several writers were joined, because there were too many. */
  readonly isJoined: boolean;
}
