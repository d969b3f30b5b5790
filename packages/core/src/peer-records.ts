import type { DocumentId, LaneId, StoreId } from "./ids.ts";
import type { LaneDescriptor } from "./lane.ts";

/**
 * What a store keeps of what it knows about others. Cursors and acknowledgements are words of one store
 * about another, and void when either was rolled back: a store that opens as an older state of itself
 * drops all of them, and whoever meets a peer with an unknown incarnation forgets that peer.
 */

/** "I hold all that this store had up to `arrival`", true within the history of that incarnation. */
export interface PeerCursor {
  readonly store: StoreId;
  /** 16 bytes: the nonce of an incarnation of that store. The acknowledgements of it hang on it too. */
  readonly incarnation: Uint8Array;
  readonly arrival: number;
}

/** That store has the envelopes of a lane in a document up to `seq` on its disk. */
export interface PeerAck {
  readonly store: StoreId;
  readonly document: DocumentId;
  readonly lane: LaneId;
  readonly seq: number;
}

/** A lane of a document has two histories. */
export interface KeptFork {
  readonly document: DocumentId;
  readonly lane: LaneDescriptor;
  /** Where they part. */
  readonly seq: number;
  /**
   * Encoded envelopes from `seq` on, the last one signed; together at most `limits.forkBytesMax`. Both
   * are empty when they were larger: then the lane is frozen and nobody can be shown why.
   */
  readonly branchA: readonly Uint8Array[];
  readonly branchB: readonly Uint8Array[];
  readonly foundAtMs: number;
}

/** An envelope that a peer refused for good. It stays in the log, and in the way of its lane there. */
export interface RefusedEnvelope extends RefusedPlace {
  /** Of the NAK. */
  readonly code: number;
  /** For people; at most `limits.reasonBytesMax` bytes of UTF-8 are kept. */
  readonly reason: string;
  readonly atMs: number;
}

export interface RefusedPlace {
  readonly document: DocumentId;
  readonly lane: LaneId;
  readonly seq: number;
  /** Who refused. */
  readonly store: StoreId;
}
