import { promisify } from "node:util";
import { deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from "node:zlib";

import type { Compression } from "@heddle/core";

const deflateLater = promisify(deflateRaw);
const inflateLater = promisify(inflateRaw);

/** Up to here the hop to another thread and back takes longer than the work. */
const atOnceBytesMax = 512 * 1024;

/** Raw deflate of Node; large bytes go to its thread pool. */
export const nodeCompression: Compression = {
  async deflateRaw(bytes) {
    const isSmall = bytes.length <= atOnceBytesMax / 8;
    return plain(isSmall ? deflateRawSync(bytes) : await deflateLater(bytes));
  },
  async inflateRaw(bytes, lengthMax) {
    const options = { maxOutputLength: Math.max(1, lengthMax) };
    const isSmall = lengthMax <= atOnceBytesMax;
    return plain(isSmall ? inflateRawSync(bytes, options) : await inflateLater(bytes, options));
  },
};

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
