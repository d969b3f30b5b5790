/**
 * The port to somebody who holds a whole log, away from everything live, and tries it again and again
 * without parts of it: that is how an audit finds out whose part breaks a document (DOC-9).
 */
export interface LogTrials {
  /**
   * Takes the next envelopes of the log in; resolves when there is room for more. Their payloads are
   * handed over and may not be used any more.
   */
  add(envelopes: readonly TriedEnvelope[]): Promise<void>;
  /** Who wrote how much, whoever could have done most harm first. */
  sources(): Promise<readonly SourceSummary[]>;
  /** Never rejects. */
  attempt(selection: LogSelection): Promise<LogVerdict>;
  close(): Promise<void>;
}

/** One envelope of a log that is tried. */
export interface TriedEnvelope {
  readonly payload: Uint8Array;
  /** Equal for envelopes of one source; `undefined` when nobody knows: then its Yjs client stands for it. */
  readonly source: string | undefined;
  /** Equal for sources that may be one person. */
  readonly group: string | undefined;
  /** Recalled before: left out of every attempt. */
  readonly isRecalled: boolean;
  /** An operator has decided that it stays: never removed. */
  readonly isReleased: boolean;
}

/** What one source has in a log. */
export interface SourceSummary {
  readonly source: string;
  readonly group: string | undefined;
  readonly envelopes: number;
  readonly structs: number;
}

/**
 * Which part of the log is tried. What depends on something that is left out is left out too, as it is
 * when the document is loaded.
 */
export interface LogSelection {
  /** Places in the log, from 0, that are left out in any case. */
  readonly without?: readonly number[];
  /** Their envelopes are left out. */
  readonly withoutSources?: readonly string[];
  /** But not those that envelopes of others build on. */
  readonly keepsNeeded?: boolean;
  /** Nor the first so many of what would be left out of those sources. */
  readonly keepsFirst?: number;
  /** Only the envelopes of these sources, and what they build on. */
  readonly onlySources?: readonly string[];
  /** Share of the budget that it is given; 1 unless said. */
  readonly budgetShare?: number;
}

/** What came of trying a whole log. */
export type LogVerdict =
  | {
      readonly outcome: "ok";
      /** Places that were left out because of their source, ascending. */
      readonly removed: readonly number[];
    }
  | {
      readonly outcome: "timeout" | "exception" | "memory";
      readonly reason: string;
      /** Place of the envelope that threw; `undefined` when only the whole fails. */
      readonly place: number | undefined;
    }
  /** Nothing can be said: the log is too large, or the process is gone. */
  | { readonly outcome: "unknown"; readonly reason: string };
