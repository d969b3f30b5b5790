import type {
  CheckpointHeader,
  DocumentEntry,
  DocumentId,
  Envelope,
  HeddleErrorCode,
  LaneId,
  StoreId,
} from "@heddle/core";

import type {
  CheckpointRefusal,
  DigestAnswer,
  KeptRefusal,
  PeerKey,
  SyncProgress,
} from "./sync-effects.ts";

/** What a replica on the wire has to tell. */
export type SyncEvent =
  | { readonly name: "session.live"; readonly peer: PeerKey; readonly store: StoreId }
  | { readonly name: "session.closed"; readonly peer: PeerKey; readonly code: HeddleErrorCode }
  /** Envelopes of others that are on disk now and may be applied and shown. */
  | {
      readonly name: "document.received";
      readonly entry: DocumentEntry;
      readonly envelopes: readonly Envelope[];
    }
  /** What a checkpoint of a peer holds is on disk and may be shown. */
  | {
      readonly name: "document.adopted";
      readonly entry: DocumentEntry;
      readonly checkpoint: CheckpointHeader;
    }
  /** A peer serves a checkpoint that is wrong: it is broken, or it lies. */
  | {
      readonly name: "checkpoint.refused";
      readonly document: DocumentId;
      readonly checkpoint: CheckpointHeader;
      readonly reason: CheckpointRefusal;
    }
  | {
      readonly name: "lane.forked";
      readonly entry: DocumentEntry;
      readonly document: DocumentId;
      readonly lane: LaneId;
      /** Where the histories part, or later. */
      readonly seq: number;
    }
  /**
   * Somebody else writes the lane that this process writes: its image was copied while it ran. End the
   * writer at once and open a new lane; what is in flight comes to light as a fork.
   */
  | { readonly name: "lane.taken"; readonly document: DocumentId; readonly lane: LaneId }
  /** A store has our envelopes up to `seq` on its disk, and had not before. */
  | {
      readonly name: "lane.replicated";
      readonly document: DocumentId;
      readonly lane: LaneId;
      readonly seq: number;
      readonly store: StoreId;
      readonly isRelay: boolean;
    }
  /** What was pushed to a peer just now, of which an application asked to hear: it has correlation ids. */
  | {
      readonly name: "edits.pushed";
      readonly peer: PeerKey;
      readonly store: StoreId;
      readonly envelopes: readonly Envelope[];
    }
  /** A peer does not exchange a document with this device, as long as the session lasts. */
  | {
      readonly name: "document.refused";
      readonly peer: PeerKey;
      readonly store: StoreId;
      readonly document: DocumentId;
      /** One of `RefusedCode`. */
      readonly code: number;
    }
  /** A store does not take a lane of ours; everything else goes on. */
  | { readonly name: "lane.refused"; readonly refusal: KeptRefusal }
  /** Equal logs and unequal documents. Nothing is repaired here. */
  | {
      readonly name: "document.drifted";
      readonly document: DocumentId;
      readonly store: StoreId;
      readonly ours: DigestAnswer;
      readonly theirs: DigestAnswer;
    }
  /** Equal logs, and each side leaves something else out of them, or works with another engine. */
  | {
      readonly name: "document.incomparable";
      readonly document: DocumentId;
      readonly store: StoreId;
      readonly ours: DigestAnswer;
      readonly theirs: DigestAnswer;
    }
  /** Documents that differed, or that somebody asked about, are equal on both sides. */
  | {
      readonly name: "document.agreed";
      readonly document: DocumentId;
      readonly store: StoreId;
    }
  /** One side lacks what the other has of a document, and for long nothing came of it. */
  | {
      readonly name: "document.lagging";
      readonly document: DocumentId;
      readonly store: StoreId;
    }
  /** While an exchange takes long, every second, and once when it is done. */
  | { readonly name: "sync.progress"; readonly peer: PeerKey; readonly progress: SyncProgress }
  /**
   * The libraries of both sides were compared: equal when all documents with all their logs are. Where they
   * are not, how many documents are to be offered to the peer, and how many it was asked for.
   */
  | {
      readonly name: "library.compared";
      readonly peer: PeerKey;
      readonly store: StoreId;
      readonly isEqual: boolean;
      readonly documents: number;
      readonly documentsThere: number;
      readonly differing: number;
      readonly missing: number;
    }
  /**
   * Neither side of a session lacked anything of a document that the other had, for the first time or
   * after something was new. Said within a tick.
   */
  | { readonly name: "document.settled"; readonly peer: PeerKey; readonly document: DocumentId }
  /** A gap nobody filled for minutes. */
  | {
      readonly name: "lane.stalled";
      readonly document: DocumentId;
      readonly lane: LaneId;
      readonly fromSeq: number;
    }
  /**
   * A peer that has opened a document has what lies before presence, and none of that, or not all: it
   * is to be told of everybody.
   */
  | { readonly name: "presence.due"; readonly peer: PeerKey; readonly document: DocumentId }
  | {
      readonly name: "ephemeral";
      readonly peer: PeerKey;
      readonly document: DocumentId;
      readonly payload: Uint8Array;
    };
