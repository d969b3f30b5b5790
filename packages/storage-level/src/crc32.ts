import { crc32 as zlibCrc32 } from "node:zlib";

/**
 * CRC-32 (IEEE 802.3, as in zip and png) over `parts` as if they were one. The one function of the
 * record format that comes from Node; a browser build puts a table-driven one in place of this file.
 */
export function crc32(...parts: readonly Uint8Array[]): number {
  let crc = 0;
  for (const part of parts) crc = zlibCrc32(part, crc);
  return crc;
}
