import { crc32 as zlibCrc32 } from "node:zlib";

/** Shorter parts take less time here than the way to native code and back. */
const nativeBytesMin = 64;
const polynomial = 0xedb88320;

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? polynomial ^ (crc >>> 1) : crc >>> 1;
  return crc;
});

/**
 * CRC-32 (IEEE 802.3, as in zip and png) over `parts` as if they were one. The one function of the
 * record format that comes from Node, for long parts; a browser build leaves that way out.
 */
export function crc32(...parts: readonly Uint8Array[]): number {
  let crc = 0;
  for (const part of parts) {
    crc = part.length < nativeBytesMin ? shortCrc32(part, crc) : zlibCrc32(part, crc);
  }
  return crc;
}

function shortCrc32(bytes: Uint8Array, before: number): number {
  let crc = ~before;
  for (let index = 0; index < bytes.length; index++) {
    crc = table[(crc ^ bytes[index]!) & 0xff]! ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
