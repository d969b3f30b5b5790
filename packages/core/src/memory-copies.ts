import type {
  ParkedUpdate,
  QuarantinedUpdate,
  RecalledEnvelope,
  RefusalNote,
} from "./log-store.ts";
import type { VersionVector } from "./version-vector.ts";

/** Not `slice()`: of a Buffer that would be the same memory. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

export function copyOfVector(vector: VersionVector): VersionVector {
  const copies = [...vector].map(([lane, { seq, head }]) => {
    return [lane, { seq, head: copyOf(head) }] as const;
  });
  return new Map(copies);
}

export function copyOfParked(parked: ParkedUpdate): ParkedUpdate {
  const { id, parkedAtMs, update, principal } = parked;
  const copy = { id, parkedAtMs, update: copyOf(update) };
  return principal ? { ...copy, principal: copyOf(principal) } : copy;
}

export function copyOfQuarantined(quarantined: QuarantinedUpdate): QuarantinedUpdate {
  const { id, size, update, principal, sourceTag } = quarantined;
  return {
    id,
    size,
    ...copyOfNote(quarantined),
    ...(update && { update: copyOf(update) }),
    ...(principal && { principal: copyOf(principal) }),
    ...(sourceTag && { sourceTag: copyOf(sourceTag) }),
  };
}

export function copyOfRecalled(recalled: RecalledEnvelope): RecalledEnvelope {
  const { id, lane, seq } = recalled;
  return { id, lane, seq, ...copyOfNote(recalled) };
}

function copyOfNote(note: RefusalNote): RefusalNote {
  const { reason, validatorVersion, atMs, correlationId, editReason, release } = note;
  return {
    reason,
    validatorVersion,
    atMs,
    ...(correlationId && { correlationId: copyOf(correlationId) }),
    ...(editReason && { editReason: copyOf(editReason) }),
    ...(release && { release: { ...release } }),
  };
}
