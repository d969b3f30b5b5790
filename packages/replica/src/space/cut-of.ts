import {
  deviceKey,
  type CutPlace,
  type DeviceKey,
  type DocumentId,
  type Hash,
  type LaneId,
  type LogStore,
  type MembershipCut,
  type StoredDocument,
  type VersionVector,
} from "@heddle/core";

import { envelopeAt } from "./envelope-at.ts";

/** What is on disk of a document, whether it is in memory or not. */
export type HeldPositions = (document: StoredDocument) => Promise<VersionVector>;

export interface CutReading {
  readonly store: LogStore;
  readonly hash: Hash;
  readonly positions: HeldPositions;
  /** The control document is in no cut: what of it counts, the records themselves decide. */
  readonly except: DocumentId;
}

/**
 * What is on disk here of what a device wrote.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`: a cut that leaves out a damaged document would throw away what
 * others hold of it.
 */
export async function cutOf(reading: CutReading, device: DeviceKey): Promise<MembershipCut> {
  const { store, hash, positions, except } = reading;
  const cut = new Map<LaneId, Map<DocumentId, CutPlace>>();
  for await (const lane of store.readLanes()) {
    if (deviceKey(lane.devicePublicKey) === device) cut.set(lane.id, new Map());
  }
  if (cut.size === 0) return cut;
  for await (const document of store.readDocuments()) {
    if (document.id === except) continue;
    for (const [lane, { seq }] of await positions(document)) {
      const places = cut.get(lane);
      if (places === undefined) continue;
      const last = await envelopeAt({ store, hash, document: document.id }, lane, seq);
      places.set(document.id, { seq, signature: last?.signature?.slice() });
    }
  }
  return cut;
}
