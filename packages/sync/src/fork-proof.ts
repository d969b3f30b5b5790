import { equalBytes, type Envelope, type LaneDescriptor } from "@heddle/core";

import type { ForkProof } from "./sync-effects.ts";
import { wireLimits } from "./wire-limits.ts";

/** One that was too large to keep freezes its lane here, and nobody can be shown why. */
export function isShown({ branchA, branchB }: Omit<ForkProof, "lane">): boolean {
  return branchA.length > 0 && branchB.length > 0;
}

/** Beyond what proves anything, this much of a branch is kept: for who has only the other one. */
const branchBytesMax = 64 * 1024;

/** The proof in two runs: from one seq at which they differ, as far as they are signed and not long. */
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
  const branch = run.slice(start, start + wireLimits.envelopesPerBranchMax);
  let bytes = 0;
  let end: number | undefined;
  for (const [index, envelope] of branch.entries()) {
    const follows = envelope.lane === branch[0]!.lane && envelope.seq === seq + index;
    bytes += envelope.bytes.length;
    if (!follows || (end !== undefined && bytes > branchBytesMax)) break;
    if (envelope.signature !== undefined) end = index + 1;
  }
  return end === undefined ? undefined : branch.slice(0, end);
}
