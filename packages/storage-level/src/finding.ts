import type { DocumentId, LaneId } from "@heddle/core";

/** One thing that a verification found. */
export interface Finding {
  /**
   * - `damage`: something was lost, or is not what was written.
   * - `notice`: nothing is lost, and somebody may want to know.
   */
  readonly severity: "damage" | "notice";
  readonly part: FindingPart;
  /** For people. */
  readonly what: string;
  /** Where, as far as it is known. */
  readonly file?: string;
  readonly document?: DocumentId;
  readonly lane?: LaneId;
  readonly fromSeq?: number;
  /** Inclusive. */
  readonly toSeq?: number;
}

export type FindingPart =
  | "marker"
  | "witness"
  | "device-key"
  | "manifest"
  | "table"
  | "log-file"
  | "leveldb"
  | "record"
  | "lane"
  | "group"
  | "document"
  | "history";

export type Report = (finding: Finding) => void;

/** What was looked at. */
export interface VerifiedTotals {
  readonly tables: number;
  readonly fileBytes: number;
  readonly records: number;
  readonly documents: number;
  readonly envelopes: number;
  readonly lanes: number;
  /** Number of the last commit group. */
  readonly lastGroup: number;
}
