import { wireLimits } from "./wire-limits.ts";

/** Bounds of one replica's side of the wire; a peer need not know them. Bytes, milliseconds, items. */
export const syncLimits = {
  /** Credit given to each peer: what it may make us hold. */
  creditBytes: 1024 * 1024,
  /** Reorder buffer: of one lane of one document, and in all. Zero is correct, only slower. */
  reorderEnvelopesMax: 256,
  reorderBytesMax: 64 * 1024 * 1024,
  /** Frames on their way in that come in parts, of all sessions. The largest one fits. */
  partsBytesMax: 64 * 1024 * 1024,
  /** One read for pushing, and one PUSH. */
  readBytesMax: 256 * 1024,
  pushBytesMax: 64 * 1024,
  /** Ids of the newest envelopes per lane, to check what peers say they have. */
  recentIdsMax: 512,
  /** Lanes that need not be verified again. */
  verifiedLanesMax: 65_536,
  /** Frames of a document that wait until it is loaded. */
  waitingFramesMax: 256,
  /** Of one session, those of them that cost no credit. */
  waitingBytesMax: 8 * 1024 * 1024,
  /** Documents of one session that are being compared at a time. */
  openingDocumentsMax: 64,
  /** Documents that a peer does not answer to, which others do not wait for; each is asked about again. */
  unansweredDocumentsMax: 1_024,
  documentsPerSessionMax: 16_384,
  /** Lanes that a peer may have named; of more the oldest are forgotten and asked for again. */
  lanesPerSessionMax: 4_096,
  /** Lanes of one document that a peer may say it has. */
  lanesPerDocumentMax: 65_536,
  /** Lanes that a peer may say it has more of than is here, of all documents of a session. */
  claimsPerSessionMax: 262_144,
  /** One CHECKPOINT_DATA. The same for all who speak `heddle.1`: chunks are numbered by it. */
  checkpointChunkBytes: wireLimits.checkpointChunkBytesMax,
  /** Fewer missing envelopes than this are pushed, even where a checkpoint would be shorter. */
  checkpointEnvelopesMin: 1_000,
  /** Checkpoints on their way in, as announced, all together. The largest one fits. */
  checkpointIntakeBytesMax: 256 * 1024 * 1024,
  /** A checkpoint of which nothing more comes is let go. */
  checkpointIdleMs: 5 * 60_000,
  /** Ids of checkpoints that were wrong and are not taken again. */
  refusedCheckpointsMax: 1_024,
  /** Presence that waits to be sent to one peer: of one document, and of all. */
  ephemeralsWaitingMax: 64,
  ephemeralBytesWaitingMax: 1024 * 1024,
  /** Presence of one document that waits to be shown here. */
  ephemeralsHeldMax: 256,
  /** While more of a document comes from a peer, it is acknowledged once in so long. */
  ackEveryMs: 1_000,
  /** While more of a document comes in, it is announced once in so long to who is not pushed it. */
  announceEveryMs: 250,
  /** What was announced and does not come is asked for after this, or up to twice this. */
  pullAfterMs: 400,
  /** The same, where something that came waits for it. */
  pullCauseMs: 100,
  /** At most so long. */
  runHeldMsMax: 2_000,
  /** What others wait for does not wait for them for longer than this. */
  causeHeldMsMax: 500,
  /** Of one document of one session: runs that wait, and lanes that they wait for. */
  runsHeldMax: 256,
  lanesAwaitedMax: 4_096,
  /** Of more lanes than this all that a peer has is asked for. */
  pulledLanesMax: 16,
  /** Who pushes all and brings nothing for so long is relieved by another; so is who takes longer than this. */
  feedStallMs: 5_000,
  feedTurnMs: 30_000,
  /** Who pushes what it was asked not to is asked again, no more often than this. */
  holdEveryMs: 1_000,
  /** A follower hears MARK when nothing changed here for so long, and as often as that while it does. */
  markRestMs: 2_000,
  markEveryMs: 30_000,
  /** Acknowledgements of a document are kept once in so long, and when it has settled. */
  keepAckMs: 1_000,
  /** A document is at rest after so long; then, and no more often than that, digests are compared. */
  digestRestMs: 2_000,
  digestEveryMs: 30_000,
  /** What is at rest is compared again once in so long, thoroughly: it may have been damaged since. */
  digestAuditMs: 24 * 60 * 60_000,
  /** Stores whose feed is followed from where it was left. */
  cursorsMax: 10_000,
  progressMs: 1_000,
  /** Documents of one session that are kept open with nothing to say, where they can be opened again. */
  restingDocumentsMax: 1_024,
  /** One of which nothing came for so long has nothing to say. */
  restMs: 3_000,
  /** One LIBRARY; half of it for places, half for documents that are asked for. */
  libraryWordsBytesMax: 128 * 1024,
  /** Places that wait to be said to a peer; of more the next comparison tells. */
  libraryPlacesMax: 16_384,
  /** Frames of one comparison: what is left then is found by the next one. */
  libraryStepsMax: 4_096,
  /** A comparison of libraries to which no answer comes begins anew. */
  libraryAnswerMs: 30_000,
  /** Libraries are compared so long after a session began; after they differed, this and then longer. */
  libraryRestMs: 2_000,
  /** Libraries that agreed are compared again, as proof of it. */
  libraryEveryMs: 10 * 60_000,
  /** They are compared at rest; of two that do not come to rest, after so long all the same. */
  libraryPatienceMs: 60_000,
  handshakeMs: 10_000,
  pingMs: 15_000,
  /** Nothing heard for so long: the peer is gone, whatever the socket says. */
  silenceMs: 45_000,
  retryMsMin: 200,
  retryMsMax: 30_000,
  stalledMs: 5 * 60_000,
  /** A side that lacks something for so long while nothing comes of it is told of. */
  laggingMs: 15 * 60_000,
} as const;

export type SyncLimits = { readonly [Name in keyof typeof syncLimits]: number };
