import {
  decodeEnvelope,
  equalBytes,
  isHeddleError,
  type DocumentId,
  type Environment,
  type HeddleError,
  type LaneId,
  type LogStore,
  type PeerCursor,
  type StoredDocument,
  type StoreId,
} from "@heddle/core";
import type { KeptAck, KeptOutbox, KeptRefusal } from "@heddle/sync";

import { readableDocuments } from "./readable-documents.ts";

export interface KeptOutboxSource {
  readonly store: LogStore;
  readonly environment: Pick<Environment, "hash" | "logger">;
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

async function readOwn(source: KeptOutboxSource, acked: AckedSeqs): Promise<readonly Own[]> {
  const { store, environment, devicePublicKey } = source;
  const ours = new Set<LaneId>();
  for await (const lane of store.readLanes()) {
    if (equalBytes(lane.devicePublicKey, devicePublicKey)) ours.add(lane.id);
  }
  const own: Own[] = [];
  const onDamaged = (document: DocumentId, { code }: HeddleError): void => {
    environment.logger.warn("peer.outbox_unreadable", { document, code });
  };
  for await (const document of readableDocuments(store, onDamaged)) {
    const lacked = lackedOf(document, ours, acked.get(document.id));
    if (lacked.size === 0 && !document.dirty) continue;
    try {
      own.push(...(await readLacked(source, document, { ours, lacked })));
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      // One damaged document keeps no other from its peers. How many there are is known all the same.
      const { id, createdAt } = document;
      environment.logger.warn("peer.outbox_unreadable", { document: id, code: error.code });
      for (const [lane, { fromSeq, toSeq }] of lacked) {
        const run = { fromSeq, toSeq, bytes: 0, writtenMs: createdAt.wallMs };
        own.push({ document: id, lane, ...run });
      }
    }
  }
  return own;
}

type Lacked = ReadonlyMap<LaneId, { readonly fromSeq: number; readonly toSeq: number }>;

/** What some peer lacks of lanes of ours, as far as the vector goes that the store keeps. */
function lackedOf(
  { vector }: StoredDocument,
  ours: ReadonlySet<LaneId>,
  acked: ReadonlyMap<LaneId, number> | undefined,
): Lacked {
  const lacked = new Map<LaneId, { readonly fromSeq: number; readonly toSeq: number }>();
  for (const [lane, { seq: toSeq }] of vector) {
    const fromSeq = (acked?.get(lane) ?? 0) + 1;
    if (ours.has(lane) && fromSeq <= toSeq) lacked.set(lane, { fromSeq, toSeq });
  }
  return lacked;
}

/** Of a document that is in use the log holds more than its vector says, in lanes that it does not name. */
async function readLacked(
  { store, environment: { hash } }: KeptOutboxSource,
  { id: document, vector, dirty }: StoredDocument,
  { ours, lacked }: { readonly ours: ReadonlySet<LaneId>; readonly lacked: Lacked },
): Promise<readonly Own[]> {
  const above = new Map([...vector].map(([lane, { seq }]) => [lane, seq]));
  for (const [lane, { fromSeq }] of lacked) above.set(lane, fromSeq - 1);
  const own: Own[] = [];
  const ranges = dirty ? [{ above }] : [...lacked.keys()].map((lane) => ({ above, lane }));
  for (const range of ranges) {
    for await (const chunk of store.readLogByArrival(document, range)) {
      for (const { bytes, lane, seq } of chunk) {
        if (!ours.has(lane)) continue;
        const { hlc } = decodeEnvelope(hash, bytes);
        const run = { fromSeq: seq, toSeq: seq, bytes: bytes.length, writtenMs: hlc.wallMs };
        own.push({ document, lane, ...run });
      }
    }
  }
  return own;
}
