import { decodeEnvelope, PayloadCodec, type Environment, type LogStore } from "@heddle/core";
import type { KeptRefusal } from "@heddle/sync";

export interface RefusedReading {
  readonly store: LogStore;
  readonly environment: Pick<Environment, "hash">;
}

/**
 * The Yjs V1 updates of a refused lane, from the one that was refused on.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function readRefused(
  { store, environment: { hash } }: RefusedReading,
  { document, lane, seq }: Pick<KeptRefusal, "document" | "lane" | "seq">,
): Promise<readonly Uint8Array[]> {
  const updates: Uint8Array[] = [];
  const range = { above: new Map([[lane, seq - 1]]), lane };
  for await (const chunk of store.readLogByArrival(document, range)) {
    for (const { bytes } of chunk) {
      const { codec, payload } = decodeEnvelope(hash, bytes);
      if (codec === PayloadCodec.yjsV1) updates.push(payload.slice());
    }
  }
  return updates;
}
