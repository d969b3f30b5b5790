type NativeCrc32 = (bytes: Uint8Array, before: number) => number;

/** Not imported: in a browser there is no such module, and a bundler would look for it. */
const { process } = globalThis as {
  readonly process?: { getBuiltinModule?(name: "node:zlib"): { readonly crc32: NativeCrc32 } };
};
const nativeCrc32 = process?.getBuiltinModule?.("node:zlib")?.crc32;

/** Shorter parts take less time here than the way to native code and back. */
const nativeBytesMin = 64;
const polynomial = 0xedb88320;

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? polynomial ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

/**
 * CRC-32 (IEEE 802.3, as in zip and png) over `parts` as if they were one; by Node's own code where there
 * is one and a part is long.
 */
export function crc32(...parts: readonly Uint8Array[]): number {
  let crc = 0;
  for (const part of parts) crc = crc32Of(part, 0, part.length, crc);
  return crc;
}

/** Goes on from `before`, the sum of what comes first, with the bytes from `start` up to `end`. */
export function crc32Of(bytes: Uint8Array, start: number, end: number, before: number): number {
  const isShort = end - start < nativeBytesMin || nativeCrc32 === undefined;
  if (isShort) return ownCrc32(bytes, before, start, end);
  return nativeCrc32(bytes.subarray(start, end), before);
}

export function ownCrc32(bytes: Uint8Array, before: number, start = 0, end = bytes.length): number {
  let crc = ~before;
  for (let index = start; index < end; index++) {
    crc = table[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
