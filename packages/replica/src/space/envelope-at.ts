import {
  decodeEnvelope,
  type DocumentId,
  type Envelope,
  type Hash,
  type LaneId,
  type LogStore,
} from "@heddle/core";

export interface LogPlace {
  readonly store: LogStore;
  readonly hash: Hash;
  readonly document: DocumentId;
}

/**
 * The envelope of a lane at `seq`, as it is in the log; its parts are views. `undefined` where it is not.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function envelopeAt(
  { store, hash, document }: LogPlace,
  lane: LaneId,
  seq: number,
): Promise<Envelope | undefined> {
  const range = { above: new Map([[lane, seq - 1]]), lane };
  for await (const chunk of store.readLogByArrival(document, range)) {
    for (const { bytes } of chunk) return decodeEnvelope(hash, bytes);
  }
  return undefined;
}
