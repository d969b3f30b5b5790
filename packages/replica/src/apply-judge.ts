import type { AuditBudget } from "./audit-budget.ts";
import type { LogTrials } from "./log-trials.ts";

/**
 * The port to somebody who tries updates on a scratch document, away from everything live: in another
 * process, with bounds on time and memory. Yjs can be slow or throw on updates that no static check
 * finds, and it can do so late, when what it took in is encoded and loaded again.
 */
export interface ApplyJudge {
  /** Never rejects. Trials wait for each other; those of one urgency not for those of another. */
  judge(trial: Trial): Promise<Verdict>;
  /** For one audit; whoever opens it closes it. Without it nobody is ever blamed (DOC-9). */
  openLog?(budget: AuditBudget): LogTrials;
  close(): Promise<void>;
}

/** Updates that are tried on a scratch document before they are stored. */
export interface Trial {
  /** Somebody waits: for an answer that should be quick, or for one that may take; or nobody does. */
  readonly urgency: "urgent" | "bulk" | "idle";
  /**
   * Scratch documents may be kept under this key: a trial whose `base` is missing goes on from where
   * the last one of that key ended.
   */
  readonly key?: string;
  /**
   * With a key: the scratch document is kept as `to`, and `base` is what is new since it was kept as
   * `from`. Without `from`, `base` is all of the document.
   */
  readonly version?: { readonly from: number | undefined; readonly to: number };
  /** V1 updates that add up to the document; what they cost is not held against the steps. */
  readonly base?: readonly Uint8Array[];
  /** Updates to try, one after the other. */
  readonly steps: readonly Uint8Array[];
  /** For all steps together, and again for loading the result; CPU time where it can be had. */
  readonly budgetMs: number;
  /** For the base alone, when less than what the judge would give by itself. */
  readonly baseMsMax?: number;
  /**
   * In a process of its own, with nothing left from others. The share of the usual heap, and of the time
   * that loading the result may take.
   */
  readonly alone?: { readonly share: number };
}

/** What came of a trial. */
export type Verdict =
  /** `depth` is how deep shared types are nested in the document that came out. */
  | { readonly outcome: "ok"; readonly stepMs: readonly number[]; readonly depth: number }
  /** Nobody was tried: there is too much to do, or no scratch document of that key is left. */
  | { readonly outcome: "overloaded" | "unknown-base" }
  | FailedTrial;

/** A trial that did harm, and where. */
export interface FailedTrial {
  readonly outcome: "timeout" | "exception" | "memory";
  readonly reason: string;
  /** Index of the step that failed; -1 when the base did, `undefined` when only the whole did. */
  readonly step: number | undefined;
  /** What each step took, up to the failure. */
  readonly stepMs: readonly number[];
}

/** CPU time that an update of so many bytes may take: honest ones need a tenth of it. */
export interface ApplyBudget {
  readonly liveMs: number;
  /** No update gets more. */
  readonly bulkMs: number;
  readonly perKibMs: number;
}

/** What a trial may take when nothing else is said. */
export const defaultApplyBudget: ApplyBudget = { liveMs: 250, bulkMs: 5_000, perKibMs: 1 };

export function budgetFor(budget: ApplyBudget, bytes: number): number {
  return Math.min(budget.bulkMs, budget.liveMs + (bytes / 1024) * budget.perKibMs);
}
