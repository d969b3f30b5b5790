import { HeddleError, HeddleErrorCode } from "@heddle/core/base";

import { ByteCursor } from "./byte-cursor.ts";
import { ByteWriter } from "./byte-writer.ts";

/** Yjs V1 state vector: varUint(clients) • (client • clock)*, clients descending. */
export function encodeStateVector(clocks: Iterable<readonly [number, number]>): Uint8Array {
  const entries = Array.from(clocks).toSorted((a, b) => b[0] - a[0]);
  const writer = new ByteWriter(8 + entries.length * 10);
  writer.uint(entries.length);
  for (const [client, clock] of entries) {
    writer.uint(client);
    writer.uint(clock);
  }
  return writer.finish();
}

/**
 * Reads a state vector that a peer sent: client → clock. No bytes at all are taken for an empty
 * vector. A vector names each client once and is consumed to its end.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`
 */
export function decodeStateVector(bytes: Uint8Array): Map<number, number> {
  const clocks = new Map<number, number>();
  if (bytes.length === 0) return clocks;
  try {
    const cursor = new ByteCursor(bytes);
    const count = cursor.count(2);
    for (let index = 0; index < count; index++) clocks.set(cursor.uint(), cursor.uint());
    if (clocks.size !== count) throw new RangeError("a client twice");
    if (cursor.left > 0) throw new RangeError("bytes behind the end");
  } catch (cause) {
    throw new HeddleError(HeddleErrorCode.frameMalformed, "state vector cannot be read", { cause });
  }
  return clocks;
}
