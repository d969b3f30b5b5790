import type { HeddleError, VersionVector } from "@heddle/core";
import type { ParsedUpdate, ShownDigests } from "@heddle/document";

import type { LoggedDocument } from "./logged-document.ts";
import type { UpdateSource } from "./pending-updates.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import type { IntakeHost } from "./update-intake.ts";

/** What was made durable in one round, ready to be shown. */
export interface DocumentCommit {
  /** Yjs V1: everything of the round in one update. It need not pass the validator as a whole. */
  readonly update: Uint8Array;
  /** The same, as it was admitted. */
  readonly parts: readonly ParsedUpdate[];
  readonly sources: readonly UpdateSource[];
}

/** Told of what happens to an open document. */
export interface DocumentListener {
  onCommit(commit: DocumentCommit): void;
  /** The document left memory: the store failed, or a part of it was recalled. Open it again. */
  onReset(error: HeddleError): void;
  /** Digests of what it shows; `undefined` while that is more than the log, or nothing whole. */
  shown?(withContent: boolean): ShownDigests | undefined;
  /** Clocks of what it shows, by client, while something in it waits for what is not there. */
  pending?(): ReadonlyMap<number, number> | undefined;
  /** What is submitted from now on is sealed into another lane. */
  onLaneEnded?(): void;
}

/** What those show who have a document open. */
export interface ShownState {
  /** How far every lane is on disk. */
  readonly vector: VersionVector;
  readonly digests: readonly ShownDigests[];
  /** Clocks by client, of those in which something waits for what is not there. */
  readonly pending: readonly ReadonlyMap<number, number>[];
}

/** What waits for updates that have not arrived (DOC-6). */
export interface ParkingTotals {
  readonly count: number;
  readonly bytes: number;
  /** Wall time at which the oldest was parked. */
  readonly oldestAtMs: number | undefined;
}

/** What a document needs of its replica. */
export interface DocumentHost extends IntakeHost {
  requestRound(document: ReplicaDocument): void;
  /** Enough was logged untried, or what is logged no longer loads in time. */
  requestAudit(document: ReplicaDocument): void;
  /** The log has grown. */
  considerCheckpoint(document: LoggedDocument): void;
}
