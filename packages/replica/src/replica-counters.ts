/** What became of the updates that were handed in. Counts since the replica was opened. */
export interface ReplicaCounters {
  admitted: number;
  /** Held everything already; nothing was logged. */
  duplicate: number;
  parked: number;
  /** Parts of parked updates that were admitted later. */
  released: number;
  /** Commit rounds that reached the disk. */
  rounds: number;
  /** Envelopes in them. */
  envelopes: number;
  /** Times that the store failed and all documents left memory. */
  resets: number;
}

export function newReplicaCounters(): ReplicaCounters {
  return {
    admitted: 0,
    duplicate: 0,
    parked: 0,
    released: 0,
    rounds: 0,
    envelopes: 0,
    resets: 0,
  };
}
