import type { ClientDeletes } from "@heddle/document";

/**
 * The port to somebody who makes of a document's log the state that a checkpoint holds, away from
 * everything live: a whole Yjs document is built for it, twice.
 */
export interface StateFolder {
  /** Never rejects. Folds wait for each other. */
  fold(job: FoldJob): Promise<FoldResult>;
  close(): Promise<void>;
}

/** What is folded into one state. */
export interface FoldJob {
  /** State of the checkpoint to go on from, deflated, and how long it is inflated. */
  readonly base?: { readonly state: Uint8Array; readonly stateBytes: number } | undefined;
  /** V1 updates of the log above it, in its order. */
  readonly updates: readonly Uint8Array[];
  /** A longer state is not wanted. */
  readonly stateBytesMax: number;
}

/** What came of a fold. */
export type FoldResult =
  | FoldedState
  /** Something refers to what is not there (`pending`), or the state would be too long. */
  | { readonly outcome: "pending" | "too-large" }
  /** The engine failed, or took too much time or memory. */
  | { readonly outcome: "failed"; readonly reason: string };

/** A state that can be the base of a checkpoint. */
export interface FoldedState {
  readonly outcome: "folded";
  /** Name and version: digests of others are not comparable. */
  readonly engine: string;
  /** The state, deflated, and how long it is inflated. */
  readonly state: Uint8Array;
  readonly stateBytes: number;
  /** Of the checkpoint that it went on from: its Yjs state vector. Empty without one. */
  readonly baseVector: Uint8Array;
  /** What the log came to. */
  readonly built: StateFacts;
  /** What the state comes to when a fresh document loads it. */
  readonly loaded: StateFacts;
}

/** What digests S and C of a document are made of. */
export interface StateFacts {
  /** Yjs V1 state vector. */
  readonly stateVector: Uint8Array;
  readonly deletes: readonly ClientDeletes[];
  /** 32 bytes. */
  readonly digestC: Uint8Array;
}
