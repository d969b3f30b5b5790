import { NakCode, type PeerKey, type Replication } from "@heddle/sync";

import type { SpaceMembers } from "../space/space-members.ts";

/**
 * A peer and this replica know the same records: what either had forbidden may be allowed by now. Work of
 * this device that is allowed is no more among what was refused; what is not is refused again.
 */
export function offerForbiddenAgain(
  machine: Replication,
  { own, membership }: SpaceMembers,
  { peer, nowMs }: { readonly peer: PeerKey; readonly nowMs: number },
): void {
  for (const { document, lane, seq, code } of machine.refusals) {
    const isForbidden = code === NakCode.forbidden;
    if (!isForbidden || membership.allowedSeq({ device: own, document, lane }) < seq) continue;
    machine.retryRefused(document, lane, nowMs);
  }
  machine.retryForbidden(peer, nowMs);
}
