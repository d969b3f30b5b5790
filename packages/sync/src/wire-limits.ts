/** Bounds of the wire. Sizes in bytes, counts in items. They are part of `heddle.1`. */
export const wireLimits = {
  /**
   * One frame. A larger one stops everything behind it on the connection for too long; what is larger
   * travels in parts.
   */
  frameBytesMax: 256 * 1024,
  /** Nobody may insist on less: the offer of a checkpoint fits, which does not travel in parts. */
  frameBytesMin: 8 * 1024,
  /** One frame put together from parts: the largest envelope, and what a PUSH has beside it. */
  joinedBytesMax: 16 * 1024 * 1024 + 8 * 1024,
  /** Documents and lanes that one side of a connection may have named at a time. */
  refsMax: 65_536,
  /** Lanes in one HAVE or ACK; a longer vector takes several frames. */
  positionsPerFrameMax: 4_096,
  envelopesPerPushMax: 1_024,
  /** Envelopes of one branch in a proof of a fork; from the fork to the next signature. */
  envelopesPerBranchMax: 64,
  attestationsPerOfferMax: 64,
  laneBytesMax: 1_024,
  documentNameBytesMax: 512,
  engineBytesMax: 128,
  reasonBytesMax: 256,
  proofBytesMax: 1_024,
  ephemeralBytesMax: 64 * 1024,
  checkpointHeaderBytesMax: 64 * 1024,
  checkpointChunkBytesMax: 64 * 1024,
  /** Places of a library, and documents that are asked for, in one LIBRARY. */
  libraryNodesPerFrameMax: 4_096,
  libraryWantedPerFrameMax: 4_096,
} as const;

/** At most: a lane, a seq and a head. */
const positionBytesMax = 32;
/** What HAVE and ACK have beside their positions, with room to spare. */
const positionsOverheadBytes = 128;

/** Positions that one HAVE or ACK may hold for a peer that takes frames of so many bytes. */
export function positionsPerFrame(frameBytesMax: number): number {
  const fitting = Math.floor((frameBytesMax - positionsOverheadBytes) / positionBytesMax);
  return Math.min(fitting, wireLimits.positionsPerFrameMax);
}
