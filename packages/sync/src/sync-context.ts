import type {
  DocumentEntry,
  DocumentHistory,
  DocumentId,
  Hash,
  LaneId,
  Random,
  SpaceId,
  StoreId,
} from "@heddle/core";

import type { CheckpointIntakes } from "./checkpoint-intakes.ts";
import type { DocumentLink } from "./document-link.ts";
import type { OfferedDocument } from "./document-offers.ts";
import type { OfferRules } from "./offer-rules.ts";
import type { Outbox } from "./outbox.ts";
import type { RefusedLanes } from "./refused-lanes.ts";
import type { PartsRoom } from "./frame-parts.ts";
import type { ReorderBuffer } from "./reorder-buffer.ts";
import type { SyncCounters } from "./sync-counters.ts";
import type {
  Incarnation,
  PeerKey,
  RequestName,
  SyncEffect,
  SyncRequests,
} from "./sync-effects.ts";
import type { SyncLimits } from "./sync-limits.ts";
import type { VerifiedLanes } from "./verified-lanes.ts";

/**
 * What a replica says of itself in HELLO. A `tab` writes on the device of a replica that stores for it: its
 * own store is gone with it, so that nothing which it holds counts as held.
 */
export const PeerRole = { replica: 1, relay: 2, tab: 3 } as const;

/**
 * What a device is to a space: a member is given documents, a stranger only what comes before them, as it
 * may be a member tomorrow; whoever was removed is cut off.
 */
export type Standing = "member" | "stranger" | "removed";

/** A peer as its greeting says. That it has the key of its device, it has proven. */
export interface GreetedPeer {
  readonly key: PeerKey;
  readonly store: StoreId;
  readonly devicePublicKey: Uint8Array;
  /** One of {@link PeerRole}, by its own word. */
  readonly role: number;
}

export interface ReplicationOptions {
  readonly hash: Hash;
  readonly random: Random;
  readonly space: SpaceId;
  readonly store: StoreId;
  /** Every open of this store, oldest first; the last one is this open. */
  readonly incarnations: readonly Incarnation[];
  /** Number of the last commit group on disk. */
  readonly lastArrival: number;
  readonly devicePublicKey: Uint8Array;
  /** One of {@link PeerRole}. */
  readonly role: number;
  /** Name and version, for diagnosis. */
  readonly engine: string;
  /** Take any document that a peer opens, not only those this replica wants. */
  readonly adopt: boolean;
  /** For documents that do not say it: `prune` takes a checkpoint where it is cheaper than the log. */
  readonly history?: DocumentHistory;
  /** Ask peers for everything they have, from where their feed was last followed to. */
  readonly follow: boolean;
  /**
   * Keep account of this replica's own envelopes that peers lack. Default true. A relay that writes for
   * very many documents does not: its clients know what they have.
   */
  readonly hasOutbox?: boolean;
  /**
   * Whether a peer may open one more document of which nothing is here. Asked once for each OPEN of one;
   * after a no the document is not exchanged, and the peer, which hears nothing, asks again later.
   */
  readonly mayOpenNew?: (peer: PeerKey) => boolean;
  /**
   * A document that is brought into agreement with a peer before any other is opened: who is a member is
   * in it.
   */
  readonly first?: DocumentEntry;
  /** Asked then, and again: what the peer's device is. Without it everybody is a member. */
  readonly standingOf?: (devicePublicKey: Uint8Array) => Standing;
  /**
   * Whether a document is exchanged with a peer, of another device than this one. Asked each time; default:
   * all are. A peer with which one is not is not told that there is one; when it opens it, whether there is
   * one or not, it hears REFUSED. What is open on a session stays so: end those that it is not for any more.
   */
  readonly mayOffer?: (peer: GreetedPeer, document: OfferedDocument) => boolean;
  /**
   * Compare libraries with peers that do, where this replica takes any document and follows. Default true;
   * without, it speaks as one that does not know how.
   */
  readonly comparesLibraries?: boolean;
  /**
   * Ask peers not to push what others push, and do so when asked. Default true; without, this replica
   * speaks as one that does not know how.
   */
  readonly announces?: boolean;
  /** Say in every PUSH what it follows, as a peer may that knows less of its readers. Default false. */
  readonly saysPrev?: boolean;
  readonly limits?: Partial<SyncLimits>;
}

/** What the parts of the state machine share. */
export interface SyncContext {
  readonly options: ReplicationOptions;
  readonly limits: SyncLimits;
  readonly counters: SyncCounters;
  /** Milliseconds that never go back, as of the input that is being handled. */
  readonly nowMs: number;
  readonly reorderBuffer: ReorderBuffer<DocumentLink>;
  readonly parts: PartsRoom;
  readonly outbox: Outbox;
  readonly refusedLanes: RefusedLanes;
  readonly rules: OfferRules;
  /** Checkpoints that peers are sending. */
  readonly checkpoints: CheckpointIntakes;
  emit(effect: SyncEffect): void;
  request<Name extends RequestName>(
    type: Name,
    ask: SyncRequests[Name]["ask"],
    then: (answer: SyncRequests[Name]["answer"]) => void,
  ): void;
  /** The lane that this process writes, while it does. */
  readonly writtenLane: LaneId | undefined;
  /** Number of the last commit group on disk. */
  readonly lastArrival: number;
  /** A commit group with this number is on disk. */
  arrived(arrival: number): void;
  /** Somebody here waits for peers to have the document. */
  isAwaited(document: DocumentId): boolean;
  /** Links of all live sessions to a document. */
  linksOf(document: DocumentId): readonly DocumentLink[];
  /** Descriptors whose signature was verified. */
  readonly lanes: VerifiedLanes;
}
