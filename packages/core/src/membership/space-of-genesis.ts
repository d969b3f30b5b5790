import { encodeUtf8 } from "lib0/string";

import { concatBytes } from "../bytes.ts";
import type { Hash } from "../environment.ts";
import { spaceId, type SpaceId } from "../ids.ts";

const idDomain = encodeUtf8("heddle/member/1");
const spaceDomain = encodeUtf8("heddle/space/1");
/** The last field of a record: its tag, its length, and 64 bytes. */
const signatureFieldBytes = 2 + 1 + 64;

/** The id of a membership record, by what it says before its signature. 32 bytes. */
export function membershipRecordId(hash: Hash, unsigned: Uint8Array): Uint8Array {
  return hash.sha256(concatBytes([idDomain, unsigned]));
}

/** @param genesis the id of the record that makes the space. */
export function spaceOfRecord(hash: Hash, genesis: Uint8Array): SpaceId {
  return spaceId(hash.sha256(concatBytes([spaceDomain, genesis])).subarray(0, 16));
}

/**
 * The space that a genesis makes, for whoever has to name documents before there is more than that. Whether
 * it is one, `decodeGenesis` says: of other bytes it is some id, and nobody's.
 */
export function spaceOfGenesis(hash: Hash, genesis: Uint8Array): SpaceId {
  const unsigned = genesis.subarray(0, Math.max(0, genesis.length - signatureFieldBytes));
  return spaceOfRecord(hash, membershipRecordId(hash, unsigned));
}
