import { equalBytes, noEnvelopeId, type EnvelopeId, type LaneId } from "@heddle/core";

import type { ArrivalPlace } from "./envelope-record.ts";
import type { SalvagedBase } from "./salvaged-base.ts";

/** An envelope that was salvaged, without its content, which is read when it is needed. */
export interface SalvagedRef {
  readonly lane: LaneId;
  readonly seq: number;
  readonly id: EnvelopeId;
  readonly prev: EnvelopeId;
  /** Where it stood among all that had arrived. */
  readonly place: ArrivalPlace;
  readonly hlc: { readonly wallMs: number; readonly counter: number };
  /** Its key in the database of the salvage. */
  readonly at: Uint8Array;
  /** By what it looks like: only what others say of it makes it one of the lane. */
  readonly isFound: boolean;
}

export interface SalvagedChain {
  /** Envelopes up to here are not in the log any more: the base stands for them. */
  readonly floor: number;
  /** From the first one above the floor on, without gaps. */
  readonly envelopes: readonly SalvagedRef[];
  /** Above a gap: whole, and not to be written under their lane again. */
  readonly loose: readonly SalvagedRef[];
}

/** The envelopes of one lane of one document, by seq; two histories may have one each. */
export type SalvagedBySeq = ReadonlyMap<number, readonly SalvagedRef[]>;

/** Envelopes that follow each other, from the floor on or, where that fails, from the checkpoint on. */
export function chainOf(
  found: SalvagedBySeq,
  isNamed: (ref: SalvagedRef) => boolean,
  lane: LaneId,
  base: SalvagedBase | undefined,
): SalvagedChain {
  const covered = base?.vector.get(lane) ?? { seq: 0, head: noEnvelopeId };
  const floor = base?.floors.get(lane) ?? 0;
  const take = (after: number, head: Uint8Array | undefined): SalvagedRef[] => {
    return confirmed(follow(found, after, head), isNamed);
  };
  if (floor < covered.seq) {
    // The id of the last one that was dropped is not known; that of the last one covered is.
    const envelopes = take(floor, floor === 0 ? noEnvelopeId : undefined);
    const last = envelopes[covered.seq - floor - 1];
    if (last && equalBytes(last.id, covered.head)) return withLoose(found, floor, envelopes);
  }
  return withLoose(found, covered.seq, take(covered.seq, covered.head));
}

function withLoose(
  found: SalvagedBySeq,
  floor: number,
  envelopes: readonly SalvagedRef[],
): SalvagedChain {
  const end = floor + envelopes.length;
  const above = [...found].filter(([seq]) => seq > end);
  const loose = above.flatMap(([, refs]) => refs.find(({ isFound }) => !isFound) ?? []);
  return { floor, envelopes, loose };
}

function follow(found: SalvagedBySeq, after: number, head: Uint8Array | undefined): SalvagedRef[] {
  const chain: SalvagedRef[] = [];
  let last = head;
  for (let seq = after + 1; ; seq++) {
    const next = (found.get(seq) ?? []).filter(({ prev }) => !last || equalBytes(prev, last));
    const envelope = next.find(({ isFound }) => !isFound) ?? next[0];
    if (!envelope) return chain;
    chain.push(envelope);
    last = envelope.id;
  }
}

/** Up to the last one that is vouched for: what it builds on is vouched for by it. */
function confirmed(
  chain: readonly SalvagedRef[],
  isNamed: (ref: SalvagedRef) => boolean,
): SalvagedRef[] {
  const last = chain.findLastIndex((ref) => !ref.isFound || isNamed(ref));
  return chain.slice(0, last + 1);
}
