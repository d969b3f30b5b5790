import type { DocumentId, StoreId } from "@heddle/core";
import type {
  AuditAction,
  AuditResult,
  ContentDigests,
  DriftCause,
  DriftSide,
} from "@heddle/reconcile";

/** What an application is told of a document that is not what it should be. */
export interface DriftReport {
  readonly document: DocumentId;
  /**
   * - `found`: it differs, and is being repaired.
   * - `repaired`: it was looked at again, and is right.
   * - `degraded`: it could not be repaired here and now; it is looked at again with each audit.
   */
  readonly stage: "found" | "repaired" | "degraded";
  readonly cause: DriftCause;
  readonly side: DriftSide;
  /** For people. */
  readonly why: string;
  /** The last thing that was done, and what came of it; missing when it was only just found. */
  readonly action?: AuditAction | undefined;
  readonly result?: AuditResult | undefined;
  /** The peer that it was compared with. */
  readonly peer?: StoreId | undefined;
  /** Of what was shown, or of the disk, when it was found; and of the disk at the end. */
  readonly before?: ContentDigests | undefined;
  readonly after?: ContentDigests | undefined;
}

/** Counts since the start, and what is so now. */
export interface DriftCounters {
  /** By cause. */
  readonly found: Map<DriftCause, number>;
  readonly repaired: Map<DriftCause, number>;
  readonly failed: Map<DriftCause, number>;
  /** Audits that came to their end, and documents that they looked at. */
  audits: number;
  documentsAudited: number;
  /** Digests that were asked for while too many others waited. */
  digestsPutOff: number;
  /** Times that a document was not looked at, or not repaired, as too many others were. */
  putOff: number;
}

/** All causes that a document can have, in the order in which they are looked for. */
export const driftCauses: readonly DriftCause[] = [
  "damaged-store",
  "gap",
  "behind",
  "missing-dependency",
  "damaged-state",
  "engine",
  "fork",
  "unexplained",
];

export function newDriftCounters(): DriftCounters {
  return {
    found: new Map(),
    repaired: new Map(),
    failed: new Map(),
    audits: 0,
    documentsAudited: 0,
    digestsPutOff: 0,
    putOff: 0,
  };
}

export function countCause(counts: Map<DriftCause, number>, cause: DriftCause): void {
  counts.set(cause, (counts.get(cause) ?? 0) + 1);
}
