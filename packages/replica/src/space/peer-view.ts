import {
  decodeEnvelope,
  type DocumentId,
  type Envelope,
  type Hash,
  type LaneId,
  type LanePosition,
  type LogStore,
  type VersionVector,
} from "@heddle/core";

import type { SpaceMembers } from "./space-members.ts";

/** What a space shows its peers of the log. */
export interface PeerViewParts {
  readonly store: LogStore;
  readonly hash: Hash;
  readonly members: SpaceMembers;
}

/**
 * What counts of what is on disk: all replicas that hold it name the same positions, whatever else they
 * were given before.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function countedVector(
  { store, hash, members }: PeerViewParts,
  document: DocumentId,
  vector: VersionVector,
): Promise<VersionVector> {
  const counted = new Map(vector);
  for (const [lane, { seq }] of vector) {
    const allowed = members.allowedSeq(document, lane);
    if (allowed >= seq) continue;
    const position =
      allowed > 0 ? await positionAt(store, hash, { document, lane, seq: allowed }) : undefined;
    if (position) counted.set(lane, position);
    else counted.delete(lane);
  }
  return counted;
}

/** Without what does not count, and what no signature is left for. */
export function countedEnvelopes(
  members: SpaceMembers,
  document: DocumentId,
  envelopes: readonly Envelope[],
): readonly Envelope[] {
  const counted = envelopes.filter(({ lane, seq }) => seq <= members.allowedSeq(document, lane));
  if (counted.length === envelopes.length) return envelopes;
  const signedSeqs = new Map<LaneId, number>();
  for (const { lane, seq, signature } of counted) if (signature) signedSeqs.set(lane, seq);
  return counted.filter(({ lane, seq }) => seq <= (signedSeqs.get(lane) ?? 0));
}

async function positionAt(
  store: LogStore,
  hash: Hash,
  {
    document,
    lane,
    seq,
  }: { readonly document: DocumentId; readonly lane: LaneId; readonly seq: number },
): Promise<LanePosition | undefined> {
  const range = { above: new Map([[lane, seq - 1]]), lane };
  for await (const chunk of store.readLogByArrival(document, range)) {
    for (const { bytes } of chunk) return { seq, head: decodeEnvelope(hash, bytes).id };
  }
  return undefined;
}
