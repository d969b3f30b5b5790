import {
  decodeEnvelope,
  equalBytes,
  type DocumentId,
  type Environment,
  type LaneId,
  type LogStore,
  type PeerCursor,
  type StoreId,
} from "@heddle/core";
import type { KeptAck, KeptOutbox, KeptRefusal } from "@heddle/sync";

export interface KeptOutboxSource {
  readonly store: LogStore;
  readonly environment: Pick<Environment, "hash">;
  readonly devicePublicKey: Uint8Array;
}

type Own = NonNullable<KeptOutbox["own"]>[number];
type AckedSeqs = ReadonlyMap<DocumentId, ReadonlyMap<LaneId, number>>;

/**
 * The outbox as earlier starts of this replica left it: what peers have acknowledged or refused, and the
 * sizes and ages of this device's envelopes that one of them lacks. Reads no envelope that all have.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function readKeptOutbox(source: KeptOutboxSource): Promise<KeptOutbox> {
  const { store } = source;
  const cursors = await store.readCursors();
  const acks: KeptAck[] = [];
  for (const cursor of cursors) acks.push(...(await acksOf(store, cursor)));
  const refusals: KeptRefusal[] = [];
  for await (const chunk of store.readRefused()) refusals.push(...chunk);
  return { acks, refusals, own: await readOwn(source, seqsOfAll(cursors, acks)) };
}

async function acksOf(store: LogStore, { store: peer, incarnation }: PeerCursor) {
  const acks: KeptAck[] = [];
  for await (const chunk of store.readAcks(peer)) {
    for (const { document, lane, seq } of chunk) {
      // Whether it is a relay is said again with its next greeting.
      const about = { store: peer, incarnation, isRelay: false, head: undefined };
      if (seq > 0) acks.push({ ...about, document, lane, seq });
    }
  }
  return acks;
}

/** What every peer that is known has; nothing when none is. */
function seqsOfAll(cursors: readonly PeerCursor[], acks: readonly KeptAck[]): AckedSeqs {
  const byPlace = new Map<DocumentId, Map<LaneId, Map<StoreId, number>>>();
  for (const { document, lane, store, seq } of acks) {
    const lanes = byPlace.get(document) ?? new Map<LaneId, Map<StoreId, number>>();
    byPlace.set(document, lanes);
    lanes.set(lane, (lanes.get(lane) ?? new Map<StoreId, number>()).set(store, seq));
  }
  const lowest = (stores: ReadonlyMap<StoreId, number>): number => {
    return stores.size < cursors.length ? 0 : Math.min(...stores.values());
  };
  return new Map(
    [...byPlace].map(([document, lanes]) => {
      return [document, new Map([...lanes].map(([lane, stores]) => [lane, lowest(stores)]))];
    }),
  );
}

async function readOwn(
  { store, environment: { hash }, devicePublicKey }: KeptOutboxSource,
  acked: AckedSeqs,
): Promise<readonly Own[]> {
  const ours = new Set<LaneId>();
  for await (const lane of store.readLanes()) {
    if (equalBytes(lane.devicePublicKey, devicePublicKey)) ours.add(lane.id);
  }
  const own: Own[] = [];
  for await (const { id: document, vector } of store.readDocuments()) {
    for (const lane of vector.keys()) {
      const seq = acked.get(document)?.get(lane) ?? 0;
      if (!ours.has(lane) || (vector.get(lane)?.seq ?? 0) <= seq) continue;
      const range = { above: new Map([[lane, seq]]), lane };
      for await (const chunk of store.readLogByArrival(document, range)) {
        for (const { bytes, seq: at } of chunk) {
          const { hlc } = decodeEnvelope(hash, bytes);
          const run = { fromSeq: at, toSeq: at, bytes: bytes.length, writtenMs: hlc.wallMs };
          own.push({ document, lane, ...run });
        }
      }
    }
  }
  return own;
}
