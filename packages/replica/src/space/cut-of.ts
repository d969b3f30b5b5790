import {
  deviceKey,
  type DeviceKey,
  type DocumentId,
  type LaneId,
  type LogStore,
  type MembershipCut,
  type StoredDocument,
  type VersionVector,
} from "@heddle/core";

/** What is on disk of a document, whether it is in memory or not. */
export type HeldPositions = (document: StoredDocument) => Promise<VersionVector>;

export interface CutReading {
  readonly store: LogStore;
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
export async function cutOf(
  { store, positions, except }: CutReading,
  device: DeviceKey,
): Promise<MembershipCut> {
  const cut = new Map<LaneId, Map<DocumentId, number>>();
  for await (const lane of store.readLanes()) {
    if (deviceKey(lane.devicePublicKey) === device) cut.set(lane.id, new Map());
  }
  if (cut.size === 0) return cut;
  for await (const document of store.readDocuments()) {
    if (document.id === except) continue;
    for (const [lane, { seq }] of await positions(document)) cut.get(lane)?.set(document.id, seq);
  }
  return cut;
}
