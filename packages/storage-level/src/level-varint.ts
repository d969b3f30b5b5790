/** A number as LevelDB writes lengths, and where the next byte is. */
export type Varint = readonly [value: number, next: number];

/** Reads at most 32 bits; `undefined` for what is no number. For bytes that may be anything. */
export function readVarint32(bytes: Uint8Array, at: number): Varint | undefined {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value < 2 ** 32 ? [value, at + index + 1] : undefined;
  }
  return undefined;
}
