import { equalBytes, type Envelope, type LaneDescriptor } from "@heddle/core";

import type { ForkProof } from "./sync-effects.ts";
import { wireLimits } from "./wire-limits.ts";

/** One that was too large to keep freezes its lane here, and nobody can be shown why. */
export function isShown({ branchA, branchB }: Omit<ForkProof, "lane">): boolean {
  return branchA.length > 0 && branchB.length > 0;
}

/** The shortest proof in two runs: from one seq at which they differ to the next signature of each. */
export function proofOf(
  lane: LaneDescriptor,
  ours: readonly Envelope[],
  theirs: readonly Envelope[],
): ForkProof | undefined {
  const idsOfOurs = new Map(ours.map((envelope) => [envelope.seq, envelope]));
  const seqs = theirs.filter(({ seq, id }) => {
    const our = idsOfOurs.get(seq);
    return our !== undefined && !equalBytes(our.id, id);
  });
  for (const { seq } of seqs) {
    const branchA = branchFrom(ours, seq);
    const branchB = branchFrom(theirs, seq);
    if (branchA && branchB) return { lane, branchA, branchB };
  }
  return undefined;
}

function branchFrom(run: readonly Envelope[], seq: number): Envelope[] | undefined {
  const start = run.findIndex((envelope) => envelope.seq === seq);
  const end = run.findIndex(({ signature }, index) => index >= start && signature !== undefined);
  const isShort = end >= 0 && end - start < wireLimits.envelopesPerBranchMax;
  return isShort ? run.slice(start, end + 1) : undefined;
}
