import type {
  CheckpointHeader,
  DocumentEntry,
  DocumentId,
  DocumentName,
  Envelope,
  EnvelopeId,
  HeddleErrorCode,
  LaneDescriptor,
  LaneId,
  LanePosition,
  StoreId,
  VersionVector,
} from "@heddle/core";

import type { LibraryTrie } from "./library-trie.ts";
import type { OwnRun } from "./own-envelopes.ts";
import type { SyncEvent } from "./sync-events.ts";

/** One connection, from its opening to its end; a new one gets a new key. */
export type PeerKey = number;

/** Peers that something is for; all of them when nothing is said. */
export interface PeerChoice {
  readonly only?: PeerKey | undefined;
  readonly except?: PeerKey | undefined;
}
export type RequestId = number;

/** What the state machine asks of its host. A request is answered by `Replication.complete`. */
export type SyncEffect =
  | { readonly type: "send"; readonly peer: PeerKey; readonly bytes: Uint8Array }
  /** The connection is over for this side; frames of it are ignored from now on. */
  | { readonly type: "close"; readonly peer: PeerKey; readonly code: HeddleErrorCode }
  /** Where this replica stands in the change feed of a peer's store, worth keeping. */
  | { readonly type: "keepCursor"; readonly store: StoreId; readonly cursor: FeedCursor }
  /**
   * Which of our envelopes peers' stores have on disk, worth keeping beside the log; seq 0 takes one
   * back. Not durable before anything: what is lost of it is proven again.
   */
  | { readonly type: "keepAcks"; readonly acks: readonly KeptAck[] }
  /** A peer refused a lane of ours for good; keep that until {@link Replication.retryRefused}. */
  | { readonly type: "keepRefusal"; readonly refusal: KeptRefusal }
  | { readonly type: "forgetRefusal"; readonly refusal: KeptRefusal }
  /** A lane of a document has two histories; keep the proof (see {@link LoadedDocument.forks}). */
  | { readonly type: "keepFork"; readonly document: DocumentId; readonly proof: ForkProof }
  | { readonly type: "event"; readonly event: SyncEvent }
  | SyncRequest;

/** Requests, and what answers each. */
export interface SyncRequests {
  /** Signs with the device key. */
  sign: { readonly ask: { readonly bytes: Uint8Array }; readonly answer: Uint8Array };
  verify: {
    readonly ask: {
      readonly devicePublicKey: Uint8Array;
      readonly bytes: Uint8Array;
      readonly signature: Uint8Array;
    };
    readonly answer: boolean;
  };
  /** `verifyLane` of core. */
  verifyLane: { readonly ask: { readonly lane: LaneDescriptor }; readonly answer: boolean };
  /** `verifyRun` of core, and `verifyLane` before it when the lane is new. Off the hot path. */
  verifyRun: {
    readonly ask: {
      readonly lane: LaneDescriptor;
      readonly isLaneNew: boolean;
      readonly run: readonly Envelope[];
    };
    readonly answer: boolean;
  };
  /**
   * What is on disk of a document, if the store knows it. `unreadable` when it knows it and cannot say:
   * it is tried again later. `name` is there where somebody said it, and is the one that the id is made of.
   */
  load: {
    readonly ask: { readonly document: DocumentId; readonly name?: DocumentName | undefined };
    readonly answer: LoadedDocument | "unreadable" | undefined;
  };
  /**
   * Envelopes of a document above some seqs, in the order in which they arrived here, some
   * `bytesMax` of them. Every run of a lane ends with a signature; the author signs when asked first.
   */
  read: {
    readonly ask: {
      readonly document: DocumentId;
      readonly above: ReadonlyMap<LaneId, number>;
      /** Only this lane. */
      readonly lane?: LaneId;
      /** Lanes of which there is more, and how far at least: whoever has that at hand need not look further. */
      readonly upTo?: ReadonlyMap<LaneId, number>;
      readonly bytesMax: number;
    };
    readonly answer: {
      readonly envelopes: readonly Envelope[];
      readonly lanes: ReadonlyMap<LaneId, LaneDescriptor>;
    };
  };
  /** Appends runs that were accepted. Answered when they are on disk (I3), in the order of asking. */
  store: {
    readonly ask: { readonly entry: DocumentEntry; readonly runs: readonly AcceptedRun[] };
    readonly answer: StoreAnswer;
  };
  /** Bytes of a checkpoint's vector and payload, one after the other, from `offset` on. */
  readCheckpoint: {
    readonly ask: {
      readonly document: DocumentId;
      /** Its id. */
      readonly checkpoint: Uint8Array;
      readonly offset: number;
      readonly bytesMax: number;
    };
    readonly answer:
      | { readonly outcome: "read"; readonly bytes: Uint8Array }
      /** It was replaced by a newer one. */
      | { readonly outcome: "gone" };
  };
  /**
   * Makes a peer's checkpoint part of the document, on disk when answered. Its signature and the hash of
   * its vector are good. The host checks the payload (hash, inflated size, digests S and C of a fold), and
   * that nothing which it covers and the host knows is missing in it. Then, in one batch:
   *
   * - where the vector reaches all floors here ({@link reachesFloors}) it becomes the current checkpoint;
   *   otherwise it is folded together with what is held into a new one that does (I6);
   * - each lane's position is the higher of the two; a lane that was behind loses its log up to there and
   *   has its floor there, the log of all others stays.
   */
  adoptCheckpoint: { readonly ask: OfferedCheckpoint; readonly answer: AdoptAnswer };
  /**
   * Digests of a document as it is shown, when that is all of the log with this digest L and nothing
   * else. A host that does not have it at hand says so: nothing is loaded for this. Thoroughly means
   * digest C too, from what is there now and not from what is remembered.
   */
  digest: {
    readonly ask: {
      readonly document: DocumentId;
      readonly log: Uint8Array;
      readonly isThorough: boolean;
    };
    readonly answer: DigestAnswer;
  };
  /**
   * All documents with anything in their logs, and digest L of each, as they are or were since this was
   * asked. `unsure` are those whose digest would take more than a look at their records; they need not be
   * among the others.
   */
  library: {
    readonly ask: Readonly<Record<never, never>>;
    readonly answer:
      | { readonly library: LibraryTrie; readonly unsure: readonly DocumentId[] }
      | "unreadable";
  };
  /** Digest L of what is on disk of each of these; `undefined` of one with nothing in its log. */
  digests: {
    readonly ask: { readonly documents: readonly DocumentId[] };
    readonly answer: readonly (Uint8Array | "unreadable" | undefined)[];
  };
  /** Documents that changed after an arrival number, and the number of the last arrival. */
  changes: {
    readonly ask: { readonly after: number };
    readonly answer: readonly DocumentEntry[] | "unreadable";
  };
}

export type RequestName = keyof SyncRequests;
export type SyncRequest = {
  [Name in RequestName]: {
    readonly type: Name;
    readonly id: RequestId;
  } & SyncRequests[Name]["ask"];
}[RequestName];

export interface LoadedDocument {
  readonly entry: DocumentEntry;
  readonly vector: ReadonlyMap<LaneId, LanePosition>;
  readonly forks: readonly ForkProof[];
  /** Lanes whose envelopes up to a seq are in the checkpoint and no more in the log. */
  readonly floors?: ReadonlyMap<LaneId, number>;
  readonly checkpoint?: HeldCheckpoint | undefined;
}

/** The newest checkpoint of a document on our disk, which may be served to peers. */
export interface HeldCheckpoint {
  readonly header: CheckpointHeader;
  readonly vector: VersionVector;
  /** Of the vector as the header's hash covers it. */
  readonly vectorBytes: number;
}

export interface OfferedCheckpoint {
  readonly entry: DocumentEntry;
  readonly header: CheckpointHeader;
  /** All chunks of the vector in one. */
  readonly vector: Uint8Array;
  /** As it was received: deflated, and not yet compared with its hash. */
  readonly payload: Uint8Array;
}

export type DigestAnswer =
  | { readonly outcome: "unavailable" }
  | {
      readonly outcome: "digests";
      readonly log: Uint8Array;
      readonly state: Uint8Array;
      readonly content?: Uint8Array | undefined;
      /** Digests of other engines are not comparable. */
      readonly engine: string;
    };

/** "Everything up to `seq` of our lane is on that store's disk", as of an incarnation of it. */
export interface KeptAck {
  readonly store: StoreId;
  readonly incarnation: Uint8Array;
  readonly isRelay: boolean;
  readonly document: DocumentId;
  readonly lane: LaneId;
  readonly seq: number;
  /** Id of the envelope there, where it is at hand. */
  readonly head: EnvelopeId | undefined;
}

/** A lane of ours in a document, from `seq` on, that a store does not take. */
export interface KeptRefusal {
  readonly store: StoreId;
  readonly document: DocumentId;
  readonly lane: LaneId;
  readonly seq: number;
  /** Of NAK. */
  readonly code: number;
  /** For people, from the peer. */
  readonly reason: string;
}

/** What a host kept of earlier starts. */
export interface KeptOutbox {
  readonly acks?: readonly KeptAck[];
  readonly refusals?: readonly KeptRefusal[];
  /** Envelopes of this replica's own lanes, at least those that some store lacks, seqs ascending. */
  readonly own?: readonly (OwnRun & { readonly document: DocumentId; readonly lane: LaneId })[];
}

/** Of one session. Totals grow as more becomes known. */
export interface SyncProgress {
  /** This side never had all that the peer has. */
  readonly isFirst: boolean;
  /** Documents of which neither side lacks anything any more, since the session began. */
  readonly documentsDone: number;
  /** These, those that are being exchanged, and all that either side is still going to offer. */
  readonly documentsTotal: number;
  /** Of them, what the peer says it is still going to offer. */
  readonly documentsWanted: number;
  /** Documents of which something came from the peer, since the session began. */
  readonly documentsReceived: number;
  readonly envelopesToSend: number;
  readonly envelopesToReceive: number;
  /** Of data frames, since the session began. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

export type AdoptAnswer =
  /** As for a store: this machine is over. */
  | { readonly outcome: "failed" }
  /** Nobody knows what the document holds now: its sessions end, and the next ones read it anew. */
  | { readonly outcome: "unreadable" }
  /** It is not what it says; nothing changed. After `content` it is not taken from anybody. */
  | { readonly outcome: "refused"; readonly reason: CheckpointRefusal }
  | {
      readonly outcome: "adopted";
      /** What the document holds now. */
      readonly vector: VersionVector;
      readonly floors: ReadonlyMap<LaneId, number>;
      readonly checkpoint: HeldCheckpoint;
      readonly arrival: number;
    };

/**
 * `damaged`: a hash is wrong; `content`: its state is not what its digests say, or lacks what is known
 * here; `forked`: it covers what was written to a lane after it was frozen.
 */
export type CheckpointRefusal = "signature" | "damaged" | "content" | "forked";

export interface AcceptedRun {
  readonly lane: LaneDescriptor;
  readonly run: readonly Envelope[];
}

export type StoreAnswer =
  /** Nobody knows what is on disk: this machine is over, the host starts anew from the log (STO-4). */
  | { readonly outcome: "failed" }
  /** One verdict for each run, in order. After one that is not stored, nothing of its lane is. */
  | {
      readonly outcome: "stored";
      readonly verdicts: readonly RunVerdict[];
      /** Number of the commit group. */
      readonly arrival: number;
    };

/**
 * `incomplete`: refers to what is not there yet; it comes again after that. `forbidden`: its device may not
 * write it.
 */
export type RunVerdict = "stored" | "incomplete" | "refused" | "forbidden";

/** One open of a store, and the number that its first arrival had. */
export interface Incarnation {
  /** 16 random bytes. */
  readonly nonce: Uint8Array;
  readonly firstArrival: number;
}

/** "I hold all that this store had up to `arrival`", true only within that incarnation's history. */
export interface FeedCursor {
  readonly incarnation: Uint8Array;
  readonly arrival: number;
}

/**
 * Two envelopes of one lane at one seq: the first of each branch. Each branch ends with a signature of
 * the lane's device, which cannot deny it.
 */
export interface ForkProof {
  readonly lane: LaneDescriptor;
  readonly branchA: readonly Envelope[];
  readonly branchB: readonly Envelope[];
}
