/** Lexicographic order of unsigned bytes; a prefix sorts first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const difference = a[index]! - b[index]!;
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

/** Shorter ones are copied with less than it costs to look; a slab is never mostly one of them. */
const heldBytesMin = 4 * 1024;

/**
 * Whether to hold these bytes where they are, rather than a copy, costs no more than a copy would: they
 * are long, and most of the buffer that they keep alive. For bytes that nobody writes to again.
 */
export function isWorthHolding({ length, buffer }: Uint8Array): boolean {
  return length >= heldBytesMin && length * 2 >= buffer.byteLength;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

const hexOfByte = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (let index = 0; index < bytes.length; index++) hex += hexOfByte[bytes[index]!]!;
  return hex;
}

/** Value of a lower-case hex digit by its character code; 16 for everything else. */
const valueOfDigit = new Uint8Array(128).fill(16);
for (let value = 0; value < 16; value++) valueOfDigit["0123456789abcdef".charCodeAt(value)] = value;

/** Reads lower-case hex; `undefined` when `hex` is anything else. */
export function fromHex(hex: string): Uint8Array | undefined {
  if (hex.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(hex.length / 2);
  return writeHex(hex, bytes, 0) ? bytes : undefined;
}

/**
 * Writes what the lower-case `hex`, of an even number of digits, stands for into `target` from `offset`
 * on. False when `hex` is anything else; `target` holds part of it then.
 */
export function writeHex(hex: string, target: Uint8Array, offset: number): boolean {
  for (let index = 0; index < hex.length; index += 2) {
    const high = valueOfDigit[hex.charCodeAt(index)] ?? 16;
    const low = valueOfDigit[hex.charCodeAt(index + 1)] ?? 16;
    if (high > 15 || low > 15) return false;
    target[offset + (index >> 1)] = high * 16 + low;
  }
  return true;
}
