import { decodeGenesis, equalBytes, isHeddleError, verifyMembershipRecord } from "@heddle/core";
import { nodeHash, nodeVerifier } from "@heddle/replica/node";

import { lanLimits } from "./lan-limits.ts";
import { pairingFailed } from "./pairing-failed.ts";

/** The space of one side of a pairing, and what the guest does about that of the other side. */
export interface OwnSpace {
  /** Of the space that this device is of; undefined in the open space. */
  readonly genesis?: Uint8Array | undefined;
  /**
   * In the open space: whether this device could take part in that space, which it rejects with an error of
   * its own; it does so when what this resolves to is called. Without it, it never does.
   */
  readonly prepareSpace?: ((genesis: Uint8Array) => Promise<() => Promise<void>>) | undefined;
}

/**
 * What the guest does about the space of the host.
 *
 * @param genesis as the host showed it; undefined when it is of the open space, or an older heddle.
 * @returns takes part in it, if there is anything to do.
 * @throws HeddleError `HEDDLE_PAIRING_FAILED` for another space than this device's own; as `prepareSpace`.
 */
export async function answerInvitation(
  genesis: Uint8Array | undefined,
  own: OwnSpace,
): Promise<(() => Promise<void>) | undefined> {
  if (genesis === undefined) return undefined;
  if (own.genesis) {
    if (equalBytes(own.genesis, genesis)) return undefined;
    throw pairingFailed("the other device is of another space than this one");
  }
  if (!(await isSigned(genesis)))
    throw pairingFailed("the other device shows a space that is none");
  if (own.prepareSpace) return own.prepareSpace(genesis);
  throw pairingFailed("the other device is of a space, and this replica is open without one");
}

/** @throws HeddleError `HEDDLE_PAIRING_FAILED` when it is too long for a card. */
export function assertFits(genesis: Uint8Array | undefined): void {
  if (genesis === undefined || genesis.length <= lanLimits.genesisBytesMax) return;
  throw pairingFailed("the genesis of the space is too long for a pairing");
}

async function isSigned(genesis: Uint8Array): Promise<boolean> {
  try {
    return await verifyMembershipRecord(decodeGenesis(nodeHash, genesis), nodeVerifier);
  } catch (error) {
    if (isHeddleError(error)) return false;
    throw error;
  }
}
