import type { ParkingBound } from "./make-room.ts";

/** What became of the updates that were handed in. Counts since the replica was opened. */
export interface ReplicaCounters {
  admitted: number;
  /** Held everything already; nothing was logged. */
  duplicate: number;
  parked: number;
  /** Are, or build on, what was recalled: kept, and shown to nobody. */
  held: number;
  /** Parts of parked updates that were admitted later. */
  released: number;
  /** Commit rounds that reached the disk. */
  rounds: number;
  /** Envelopes in them. */
  envelopes: number;
  /** Times that the store failed and all documents left memory. */
  resets: number;
  /** Updates that were tried on a scratch document before anything else. */
  judged: number;
  /** There was no room for them among those that wait for a trial: refused for now. */
  trialsRefused: number;
  /** Their connection was gone before their trial began. */
  trialsWithdrawn: number;
  /** The document alone took too much of the bounds: refused for now. */
  trialsSuspended: number;
  /** Updates that a document had no room for. */
  documentsFull: number;
  /** Refused for what they do to a document. */
  quarantined: number;
  /** Of these, the ones that there was no room to keep. */
  quarantineOverflow: number;
  /** Looks at what many untried updates add up to. */
  audits: number;
  /** Envelopes that an audit took out of their documents. */
  recalled: number;
  /** Times that something had been parked for too long. */
  parkingAlarms: number;
  /** Refused because the store could be read only. */
  readOnlyRefusals: number;
  /** Parts of updates for which there was no room. */
  parkingRefused: number;
  /** Parked updates that had to make room for somebody who has less parked. */
  parkingEvicted: number;
  /** How often each bound of a document's parking was met. */
  readonly parkingFull: Map<ParkingBound, number>;
  /** Envelopes of others whose clock reading lies minutes in our future; they are taken all the same. */
  clocksAhead: number;
  checkpoints: number;
  /** Builds whose outcome was not to be trusted, or too large, or took too long. */
  checkpointsRefused: number;
  /** Envelopes that checkpoints cover and that were dropped from the log. */
  envelopesPruned: number;
}

/** All at zero. */
export function newReplicaCounters(): ReplicaCounters {
  return {
    admitted: 0,
    duplicate: 0,
    parked: 0,
    held: 0,
    released: 0,
    rounds: 0,
    envelopes: 0,
    resets: 0,
    judged: 0,
    trialsRefused: 0,
    trialsWithdrawn: 0,
    trialsSuspended: 0,
    documentsFull: 0,
    quarantined: 0,
    quarantineOverflow: 0,
    audits: 0,
    recalled: 0,
    parkingAlarms: 0,
    readOnlyRefusals: 0,
    parkingRefused: 0,
    parkingEvicted: 0,
    parkingFull: new Map(),
    clocksAhead: 0,
    checkpoints: 0,
    checkpointsRefused: 0,
    envelopesPruned: 0,
  };
}

/** Counts a refusal under the bound that it met. */
export function countParkingBound({ parkingFull }: ReplicaCounters, bound: ParkingBound): void {
  parkingFull.set(bound, (parkingFull.get(bound) ?? 0) + 1);
}
