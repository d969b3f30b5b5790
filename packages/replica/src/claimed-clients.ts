/** The least that one client takes in an update: count of structs, client, clock. */
const clientBytesMin = 3;

/**
 * How many Yjs clients an update says to have structs of: the number it begins with. 0 where the rest
 * has no room for so many, which is for the validator to refuse.
 */
export function claimedClients(update: Uint8Array): number {
  let count = 0;
  for (let at = 0, scale = 1; at < 4 && at < update.length; at++, scale *= 128) {
    const byte = update[at]!;
    count += (byte & 0x7f) * scale;
    if (byte < 0x80) return count * clientBytesMin < update.length ? count : 0;
  }
  return 0;
}
