import { HeddleError, HeddleErrorCode, type Compression } from "@heddle/core/base";

/** Raw deflate of the platform's compression streams. */
export const streamCompression: Compression = {
  deflateRaw: (bytes) => through(new CompressionStream("deflate-raw"), bytes, Infinity),
  inflateRaw: (bytes, lengthMax) => {
    return through(new DecompressionStream("deflate-raw"), bytes, lengthMax);
  },
};

async function through(
  stream: CompressionStream | DecompressionStream,
  bytes: Uint8Array,
  lengthMax: number,
): Promise<Uint8Array> {
  const writer = stream.writable.getWriter();
  // What is wrong with the bytes is told to the reader, too.
  const written = Promise.allSettled([
    writer.write(bytes as Uint8Array<ArrayBuffer>),
    writer.close(),
  ]);
  const reader = (stream.readable as ReadableStream<Uint8Array>).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    length += next.value.length;
    if (length > lengthMax) {
      await reader.cancel();
      throw new HeddleError(HeddleErrorCode.updateTooLarge, `it is over ${lengthMax} bytes long`);
    }
    chunks.push(next.value);
  }
  await written;
  return joined(chunks, length);
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}
