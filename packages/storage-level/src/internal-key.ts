/**
 * LevelDB's internal key: the key, then as a little-endian uint64 the type of the entry in the lowest
 * byte and its sequence above it.
 */
export const internalTrailerBytes = 8;

export interface InternalTrailer {
  readonly sequence: bigint;
  /** 0 for a deletion, 1 for a value. */
  readonly type: number;
}

export function trailerOf(key: Uint8Array): InternalTrailer {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const packed = view.getBigUint64(key.length - internalTrailerBytes, true);
  return { sequence: packed >> 8n, type: Number(packed & 0xffn) };
}

/** By the key, and of one key the newest entry first. */
export function compareInternalKeys(a: Uint8Array, b: Uint8Array): number {
  const order = Buffer.compare(
    a.subarray(0, a.length - internalTrailerBytes),
    b.subarray(0, b.length - internalTrailerBytes),
  );
  if (order !== 0) return order;
  const [first, second] = [trailerOf(a), trailerOf(b)];
  if (first.sequence !== second.sequence) return first.sequence > second.sequence ? -1 : 1;
  return second.type - first.type;
}
