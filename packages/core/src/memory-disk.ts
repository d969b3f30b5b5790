import { assert } from "./assert.ts";
import type { Hlc } from "./hybrid-clock.ts";
import type { DocumentId, LaneId, StoreId } from "./ids.ts";
import type { LaneDescriptor } from "./lane.ts";
import type { WholeAuditRecord } from "./log-repair.ts";
import type {
  Arrival,
  DocumentEntry,
  ParkedUpdate,
  QuarantinedUpdate,
  RecalledEnvelope,
} from "./log-store.ts";
import type { MemoryCheckpoints } from "./memory-checkpoints.ts";
import { MemoryPeers } from "./memory-peers.ts";
import type { Incarnation } from "./store-history.ts";
import type { VersionVector } from "./version-vector.ts";

/** What outlives a {@link MemoryLogStore}: open another one on it to model a restart. */
export class MemoryDisk {
  storeId: StoreId | undefined;
  lastHlc: Hlc = { wallMs: 0, counter: 0 };
  isLocked = false;
  readonly documents = new Map<DocumentId, DocumentOnDisk>();
  /** In the order in which they were first heard of. */
  readonly lanes = new Map<LaneId, LaneDescriptor | undefined>();
  readonly arrivals: Arrival[] = [];
  readonly incarnations: Incarnation[] = [];
  readonly peers = new MemoryPeers();
  /** The audit journal, oldest first. */
  readonly audit: WholeAuditRecord[] = [];
  /** Number of the last commit group. */
  lastArrival = 0;

  document(id: DocumentId): DocumentOnDisk {
    const onDisk = this.documents.get(id);
    assert(onDisk !== undefined, "a document is known before its first envelope");
    return onDisk;
  }

  floorOf(document: DocumentId, lane: LaneId): number {
    return this.documents.get(document)?.checkpoints.floorOf(lane) ?? 0;
  }
}

/** What a {@link MemoryDisk} holds of one document. */
export interface DocumentOnDisk {
  entry: DocumentEntry;
  vector: VersionVector;
  dirty: boolean;
  readonly log: Map<LaneId, Uint8Array[]>;
  /** Where the envelopes of the log lie, in the order in which they arrived. */
  arrived: { readonly lane: LaneId; readonly seq: number }[];
  readonly parked: Map<string, ParkedUpdate>;
  readonly quarantine: Map<string, QuarantinedUpdate>;
  readonly recalls: Map<string, RecalledEnvelope>;
  readonly checkpoints: MemoryCheckpoints;
}
