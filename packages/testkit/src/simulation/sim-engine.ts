import type { DocumentId, Envelope, LaneId } from "@heddle/core";

import type { SimRandom } from "./sim-random.ts";

/**
 * What a simulated replica keeps of its documents' content, and what an application's own merge can be
 * put in place of. It lives as long as one start of the replica.
 */
export interface SimEngine {
  /** A local change, which is in the state at once, as the payload of an envelope. */
  edit(document: DocumentId, lane: LaneId): Uint8Array;
  /** The envelope that {@link edit} ended up in: its own seq is known only now. */
  sealed(envelope: Envelope): void;
  /**
   * Whether everything that a run of others refers to is there, on its way to disk, or earlier in the
   * run. If so all of it counts as there from now on, otherwise none of it.
   */
  accepts(run: readonly Envelope[]): boolean;
  /** It is on disk: it may be shown. */
  apply(envelope: Envelope): void;
  /** All that was applied of a document, as the state of a checkpoint; never empty. */
  checkpoint(document: DocumentId): Uint8Array;
  /** What {@link checkpoint} of another engine holds is in the document from now on, beside what is. */
  adopt(document: DocumentId, state: Uint8Array): void;
  /** Whether all that an envelope did is in its document. */
  shows(envelope: Envelope): boolean;
  /** Equal exactly when documents are. */
  digest(document: DocumentId): string;
  /** A bit of what is shown turns, and nothing else knows; false where there is none. For `drifting`. */
  damage?(document: DocumentId): boolean;
  /** As if nothing of a document had ever been applied. */
  forget?(document: DocumentId): void;
}

export type SimEngineFactory = (random: SimRandom) => SimEngine;
