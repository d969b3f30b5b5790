import type { Envelope, LaneDescriptor } from "@heddle/core";

import type { DocumentLink } from "./document-link.ts";

/** A run that a peer pushed. */
export interface OfferedRun {
  readonly run: readonly Envelope[];
  /** What its first envelope follows was filled in here, and may be wrong. */
  readonly isPlaced: boolean;
  /** Gives its credit back; to be called when the run is stored or dropped. */
  readonly release: () => void;
}

/** A run between its arrival and the disk. */
export interface PendingRun extends OfferedRun {
  readonly link: DocumentLink;
  readonly lane: LaneDescriptor;
  isVerified: boolean;
  isDropped: boolean;
}
