import {
  bytesOfId,
  concatBytes,
  decodeCheckpointVector,
  equalBytes,
  isCheckpointWhole,
  logDigest,
  openSpaceId,
  type DocumentEntry,
  type DocumentId,
  type LaneId,
} from "@heddle/core";

import { testHash } from "./environment.fixture.ts";
import { LibraryTrie } from "./library-trie.ts";
import type { MemoryDisk } from "./memory-disk.fixture.ts";
import type { AdoptAnswer, OfferedCheckpoint, SyncRequests } from "./sync-effects.ts";

// What a host answers when the state machine asks for its disk, where that is lists in memory.

export function storeOnDisk(
  disk: MemoryDisk,
  { entry, runs }: SyncRequests["store"]["ask"],
  refuses: ReadonlySet<LaneId>,
  causes: ReadonlyMap<LaneId, LaneId> = new Map(),
): SyncRequests["store"]["answer"] {
  const verdicts = runs.map(({ lane, run }) => {
    if (refuses.has(lane.id)) return "refused" as const;
    const cause = causes.get(lane.id);
    if (cause && !disk.lanes.has(cause)) return "incomplete" as const;
    disk.lanes.set(lane.id, lane);
    disk.add(entry, run);
    return "stored" as const;
  });
  return { outcome: "stored", verdicts, arrival: disk.arrivals };
}

export function changesOnDisk(disk: MemoryDisk, after: number): DocumentEntry[] {
  return [...disk.documents.values()]
    .filter((document) => document.lastArrival > after)
    .map(({ entry }) => entry);
}

export function loadFromDisk(disk: MemoryDisk, id: DocumentId): SyncRequests["load"]["answer"] {
  const document = disk.documents.get(id);
  if (!document) return undefined;
  const { entry, vector, floors, checkpoint } = document;
  const held = checkpoint && { ...checkpoint, vectorBytes: checkpoint.vectorBytes.length };
  return { entry, vector: new Map(vector), forks: [], floors, checkpoint: held };
}

export function readFromDisk(
  disk: MemoryDisk,
  { document, above, lane }: SyncRequests["read"]["ask"],
): SyncRequests["read"]["answer"] {
  const log = disk.documents.get(document)?.log ?? [];
  const envelopes = log.filter((envelope) => {
    const isWanted = lane === undefined || envelope.lane === lane;
    return isWanted && envelope.seq > (above.get(envelope.lane) ?? 0);
  });
  return { envelopes, lanes: disk.lanes };
}

/** Digest L; `undefined` where there is no log. */
export function digestOnDisk(disk: MemoryDisk, id: DocumentId): Uint8Array | undefined {
  const { vector } = disk.documents.get(id) ?? {};
  return vector && vector.size > 0 ? logDigest(testHash, vector) : undefined;
}

export function libraryOnDisk(disk: MemoryDisk): {
  readonly library: LibraryTrie;
  readonly unsure: readonly DocumentId[];
} {
  const library = new LibraryTrie(testHash, bytesOfId(openSpaceId(testHash)));
  // As a host that has some of them open: these it does not know.
  const unsure = [...disk.documents.keys()].slice(0, 2);
  for (const id of disk.documents.keys()) {
    const digest = unsure.includes(id) ? undefined : digestOnDisk(disk, id);
    if (digest) library.set(id, digest);
  }
  return { library, unsure };
}

export function readCheckpointFromDisk(
  disk: MemoryDisk,
  ask: SyncRequests["readCheckpoint"]["ask"],
): SyncRequests["readCheckpoint"]["answer"] {
  const checkpoint = disk.documents.get(ask.document)?.checkpoint;
  if (!checkpoint || !equalBytes(checkpoint.header.id, ask.checkpoint)) return { outcome: "gone" };
  const whole = concatBytes([checkpoint.vectorBytes, checkpoint.payload]);
  return { outcome: "read", bytes: whole.slice(ask.offset, ask.offset + ask.bytesMax) };
}

export function adoptOnDisk(
  disk: MemoryDisk,
  { entry, header, vector: vectorBytes, payload }: OfferedCheckpoint,
): AdoptAnswer {
  if (!isCheckpointWhole(testHash, header, { vector: [vectorBytes], payload })) {
    return { outcome: "refused", reason: "damaged" };
  }
  if (!equalBytes(header.digestS, testHash.sha256(payload))) {
    return { outcome: "refused", reason: "content" };
  }
  const { vector } = decodeCheckpointVector([vectorBytes]);
  const document = disk.documentOf(entry);
  const floors = new Map(document.floors);
  for (const [lane, position] of vector) {
    if (position.seq <= (document.vector.get(lane)?.seq ?? 0)) continue;
    document.vector.set(lane, position);
    floors.set(lane, position.seq);
  }
  document.floors = floors;
  document.log = document.log.filter(({ lane, seq }) => seq > (floors.get(lane) ?? 0));
  document.checkpoint = { header, vector, vectorBytes, payload };
  const checkpoint = { header, vector, vectorBytes: vectorBytes.length };
  const arrival = ++disk.arrivals;
  document.lastArrival = arrival;
  return { outcome: "adopted", vector: document.vector, floors, checkpoint, arrival };
}
