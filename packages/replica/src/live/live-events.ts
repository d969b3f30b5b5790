import type { HeddleError } from "@heddle/core";
import type { YDoc } from "@heddle/document";

/**
 *   loading ──► saving ◄──► saved      any but closed ──► suspended ──► saving, saved
 *                                      any but closed ──► failed         any ──► closed
 *
 * - "loading": the log is not read yet; edits count.
 * - "saving", "saved": there are edits that are not on this disk; there are none.
 * - "suspended": the store takes nothing for now; edits count, and are written when it does.
 * - "failed": the document cannot be written to any more; open it again.
 */
export type LiveState = "loading" | "saving" | "saved" | "suspended" | "failed" | "closed";

/** Where a live document stands. */
export interface LiveStatus {
  readonly state: LiveState;
  /** Transactions that are not on this disk. */
  readonly unsaved: number;
  /** How often the Yjs document was replaced. */
  readonly generation: number;
  /** Why it is suspended, or failed. */
  readonly error: HeddleError | undefined;
}

/** The Yjs document was replaced: editors bind to the new one. */
export interface ResetEvent {
  readonly generation: number;
  readonly error: HeddleError;
  readonly previous: YDoc;
  /** Missing when the document was handed in: it has failed then, and is opened again with another. */
  readonly ydoc: YDoc | undefined;
  /** Yjs V1: what was typed and is not on disk, where there is no new document to show it. */
  readonly unsaved: readonly Uint8Array[];
}

/** Edits that will never be in the log. A `reset` follows, as the document shows them still. */
export interface RefusedEvent {
  readonly generation: number;
  readonly error: HeddleError;
  /** Yjs V1, in order: what was refused first, and what cannot be without it. */
  readonly updates: readonly Uint8Array[];
  /** Transactions in them. */
  readonly edits: number;
}

/** What a live document tells, by name. */
export interface LiveEvents {
  status: LiveStatus;
  reset: ResetEvent;
  refused: RefusedEvent;
  /** y-protocols awareness update: our own presence, when what it points at is on disk. */
  presence: Uint8Array;
}
