import { heldPositions } from "../held-positions.ts";
import type { Replica } from "../replica.ts";
import type { SharedParts } from "../replica-parts.ts";
import { MemberActs } from "./member-acts.ts";
import type { SpaceMembers } from "./space-members.ts";

/** What the device of a replica can do as an admin of its space. */
export function newMemberActs(
  replica: Replica,
  members: SpaceMembers,
  { options, clock }: SharedParts,
): MemberActs {
  const { store, signer, environment } = options;
  return new MemberActs({
    members,
    store,
    signer,
    hash: environment.hash,
    clock,
    positions: (document) => heldPositions(replica, document),
    withControl: (work) => replica.using(members.control.name, work),
  });
}

export type { MemberActs };
