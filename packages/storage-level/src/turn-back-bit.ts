import { isSealed } from "./record-codec.ts";

/** Longer records are not searched: each bit costs a look at all of them. */
const recordBytesMax = 4096;

/**
 * What a record was before one of its bits flipped, wherever that bit is.
 *
 * A right checksum alone proves nothing: one of 2^32 records has it, and so many bits are tried. `isProven` says
 * whether something outside of the record names just what it says: a hash of it, or the same thing elsewhere.
 */
export function turnBackBit(
  key: Uint8Array,
  record: Uint8Array,
  isProven: (record: Uint8Array) => boolean,
): Uint8Array | undefined {
  if (record.length > recordBytesMax) return undefined;
  const tried = new Uint8Array(record);
  for (let index = 0; index < tried.length; index++) {
    for (let bit = 1; bit < 256; bit <<= 1) {
      tried[index]! ^= bit;
      if (isSealed(key, tried) && isProven(tried)) return tried;
      tried[index]! ^= bit;
    }
  }
  return undefined;
}
