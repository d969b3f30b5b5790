import { toHex } from "../bytes.ts";

/**
 * The y coordinates of the eight points of small order on edwards25519, and the two that are not written
 * in the shortest way, little-endian. Under such a key a signature is good for anything, and libraries
 * differ about which: "valid here, invalid there" would be two memberships.
 */
const smallOrder: ReadonlySet<string> = new Set([
  `00${"00".repeat(31)}`,
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
]);

/** Whether 32 bytes are a key that nobody may be enrolled with. The sign of x does not matter. */
export function isSmallOrderKey(publicKey: Uint8Array): boolean {
  const y = publicKey.slice();
  y[31] = y[31]! & 0x7f;
  return smallOrder.has(toHex(y));
}
