import {
  deviceKey,
  withSignature,
  type DocumentId,
  type Envelope,
  type Hash,
  type LaneDescriptor,
  type LaneId,
  type LogStore,
  type StoredDocument,
  type Verifier,
  type VersionVector,
} from "@heddle/core";

import { heldPositions } from "../held-positions.ts";
import type { ReplicaDocument } from "../replica-document.ts";
import type { Replica } from "../replica.ts";
import { envelopeAt, type LogPlace } from "./envelope-at.ts";
import type { SpaceMembers } from "./space-members.ts";

/** What a space shows its peers of the log. */
export interface PeerViewParts {
  readonly replica: Replica;
  readonly store: LogStore;
  readonly hash: Hash;
}

/**
 * What counts of what is on disk: all replicas that hold it name the same positions, whatever else they
 * were given before. In the open space everything does.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function countedPositions(
  { replica, store, hash }: PeerViewParts,
  stored: StoredDocument,
): Promise<VersionVector> {
  const { members } = replica;
  const { id, name } = stored;
  if (members === undefined || !hasLimits(members, id)) return heldPositions(replica, stored);
  for (;;) {
    // In its turn: it may be about to be opened anew, because of what was just heard.
    const counted = await replica.using(name, (document) => {
      return document.takeTurn(async () => {
        if (document.isGivenUp) return undefined;
        const vector = await document.whenDurable();
        return upTo({ store, hash, document: id }, vector, limitsOf(members, document, vector));
      });
    });
    if (counted) return counted;
  }
}

/**
 * Whether all that these positions name counts. What builds on what does not count goes with it, so that
 * where everything counts by itself, all of it does.
 */
export function isCounted(
  members: SpaceMembers,
  document: DocumentId,
  vector: VersionVector,
): boolean {
  return [...vector].every(([lane, { seq }]) => seq <= members.allowedSeq(document, lane));
}

/** Lanes of a document in use of which not everything counts, and up to where. */
export function countedSeqs(
  { replica }: Pick<PeerViewParts, "replica">,
  id: DocumentId,
): ReadonlyMap<LaneId, number> | undefined {
  const { members } = replica;
  const document = replica.loaded(id);
  if (members === undefined || document === undefined || !hasLimits(members, id)) return undefined;
  const seqs = new Map<LaneId, number>();
  for (const lane of members.limitedLanes()) seqs.set(lane, members.allowedSeq(id, lane));
  for (const [lane, seq] of document.uncountedFrom) lower(seqs, lane, seq - 1);
  return seqs;
}

/**
 * Gives an envelope the signature that a remover of its device has kept for it, where its device signed only
 * what came after.
 */
export function signedByCut(
  { membership }: SpaceMembers,
  verifier: Verifier,
): (envelope: Envelope, lane: LaneDescriptor) => Promise<Envelope> {
  return async (envelope, { devicePublicKey }) => {
    const { document, lane, seq, id } = envelope;
    const place = { device: deviceKey(devicePublicKey), document, lane };
    for (const signature of membership.signaturesAt(place, seq)) {
      // A remover may lie, and whoever passes on a bad signature is taken for a forger.
      const isGood = await verifier.verify(devicePublicKey, id, signature);
      if (isGood) return withSignature(envelope, signature);
    }
    return envelope;
  };
}

function hasLimits(members: SpaceMembers, document: DocumentId): boolean {
  const [first] = members.limitedLanes();
  return first !== undefined && document !== members.control.id;
}

function limitsOf(
  members: SpaceMembers,
  document: ReplicaDocument,
  vector: VersionVector,
): ReadonlyMap<LaneId, number> {
  const limits = new Map<LaneId, number>();
  for (const [lane, { seq }] of vector) {
    const allowed = members.allowedSeq(document.entry.id, lane);
    if (allowed < seq) limits.set(lane, allowed);
  }
  for (const [lane, seq] of document.uncountedFrom) lower(limits, lane, seq - 1);
  return limits;
}

function lower(seqs: Map<LaneId, number>, lane: LaneId, seq: number): void {
  seqs.set(lane, Math.min(seq, seqs.get(lane) ?? Infinity));
}

async function upTo(
  place: LogPlace,
  vector: VersionVector,
  limits: ReadonlyMap<LaneId, number>,
): Promise<VersionVector> {
  const counted = new Map(vector);
  for (const [lane, seq] of limits) {
    const last = seq > 0 ? await envelopeAt(place, lane, seq) : undefined;
    if (last) counted.set(lane, { seq, head: last.id });
    else counted.delete(lane);
  }
  return counted;
}
