import type { AuditAction, AuditResult } from "./audit-entry.ts";
import type { DriftCause, DriftFinding } from "./classify-drift.ts";

/**
 * What can be done about one document, in words of the journal.
 *
 * - `waited`: the ordinary exchange brings what is missing, or the other side repairs itself.
 * - `reloaded`: the document is put together anew from checkpoint and log, and shown in place of the old one.
 * - `checkpointed`: the checkpoint is built anew from the log.
 * - `refetched`: damaged and missing records are brought by peers.
 * - `exchanged`: both sides leave out the same part of what was written twice; it stays in the log.
 */
export type DriftStep = Extract<
  AuditAction,
  "waited" | "reloaded" | "checkpointed" | "refetched" | "exchanged"
>;

const plans: Readonly<Record<DriftCause, readonly DriftStep[]>> = {
  behind: ["waited"],
  gap: ["refetched"],
  "missing-dependency": ["waited", "reloaded"],
  "damaged-store": ["checkpointed", "refetched"],
  "damaged-state": ["reloaded"],
  engine: [],
  fork: ["exchanged", "waited"],
  // What is shown is what the log adds up to: only the other side, or a person, can change anything.
  unexplained: ["waited"],
};

/** Steps against a cause, the cheapest first. Nothing is repaired between engines: one is not the other. */
export function planOf({ cause, side }: DriftFinding): readonly DriftStep[] {
  // What is wrong over there is repaired over there; here it is only looked at again.
  if (side === "there") return ["waited"];
  // What is in no log would be lost with the document that shows it.
  if (cause === "missing-dependency" && side === "unknown") return ["waited"];
  return plans[cause];
}

/**
 * One document that was found to differ, until it is right or given up.
 *
 *   looked ─differs─► repairing ──step done──► verifying ──looked─agrees──► repaired
 *                        ▲  ▲                     │ differs
 *                        │  └──── next step ──────┤
 *                        └─due─ resting ◄─no step─┴──too often──► degraded ──looked─agrees──► repaired
 *
 * Nothing is called repaired that was not looked at again afterwards. `repaired` and `degraded` are
 * what the journal is told; a degraded document is tried once more when somebody says so.
 */
export type DriftCase =
  | (Attempt & { readonly name: "repairing"; readonly step: DriftStep })
  | (Attempt & { readonly name: "verifying" })
  | (Attempt & { readonly name: "resting"; readonly dueMs: number })
  | (Attempt & { readonly name: "repaired" })
  | (Attempt & { readonly name: "degraded" });

interface Attempt {
  /** As it was first found: what the journal speaks of. */
  readonly first: DriftFinding;
  /** As it was found last. */
  readonly finding: DriftFinding;
  /** Rounds through a plan, from 1. */
  readonly round: number;
  /** Steps of this round that are done. */
  readonly done: readonly DriftStep[];
  /** All steps that were ever done, each once, in the order of their first time. */
  readonly all: readonly DriftStep[];
}

export type DriftEvent =
  /** Somebody looked; `finding` is missing when nothing differs. */
  | { readonly name: "looked"; readonly finding: DriftFinding | undefined; readonly nowMs: number }
  /** The step that was asked for is done, or could not be. */
  | { readonly name: "stepped" }
  /** Time has passed. */
  | { readonly name: "woke"; readonly nowMs: number }
  /** Somebody wants a degraded document to be tried again. */
  | { readonly name: "retried" };

export const driftLimits = {
  /** Rounds through the plan of a document before it is given up until the next audit. */
  roundsMax: 4,
  /** Between two rounds, doubled with each. */
  restMsMin: 2_000,
  restMsMax: 60_000,
} as const;
export type DriftLimits = { readonly [Name in keyof typeof driftLimits]: number };

/** A case begins with what was found. */
export function openDriftCase(finding: DriftFinding, limits: DriftLimits = driftLimits): DriftCase {
  return nextStep({ first: finding, finding, round: 1, done: [], all: [] }, 0, limits);
}

/** What becomes of a case; the same one where the event says nothing to it. */
export function nextDriftCase(
  current: DriftCase,
  event: DriftEvent,
  limits: DriftLimits = driftLimits,
): DriftCase {
  const { first, finding, round, done, all } = current;
  const attempt = { first, finding, round, done, all };
  switch (current.name) {
    case "repairing": {
      if (event.name !== "stepped") return current;
      const { step } = current;
      const everDone = all.includes(step) ? all : [...all, step];
      return { ...attempt, name: "verifying", done: [...done, step], all: everDone };
    }
    case "verifying":
      if (event.name !== "looked") return current;
      if (event.finding === undefined) return { ...attempt, name: "repaired" };
      return nextStep({ ...attempt, finding: event.finding }, event.nowMs, limits);
    case "resting":
      if (event.name === "looked" && event.finding === undefined) {
        return { ...attempt, name: "repaired" };
      }
      if (event.name !== "woke" || event.nowMs < current.dueMs) return current;
      return nextStep({ ...attempt, round: round + 1, done: [] }, event.nowMs, limits);
    case "degraded":
      if (event.name === "looked" && event.finding === undefined) {
        return { ...attempt, name: "repaired" };
      }
      if (event.name !== "retried") return current;
      // One round, and not as many as at first.
      return nextStep({ ...attempt, round: limits.roundsMax, done: [] }, 0, limits);
    default:
      return current;
  }
}

/** The first step of the plan that this round has not done; the next round, or the end, after the last. */
function nextStep(attempt: Attempt, nowMs: number, limits: DriftLimits): DriftCase {
  const plan = planOf(attempt.finding);
  const step = plan.find((one) => !attempt.done.includes(one));
  if (step !== undefined) return { ...attempt, name: "repairing", step };
  if (plan.length === 0 || attempt.round >= limits.roundsMax) {
    return { ...attempt, name: "degraded" };
  }
  const restMs = Math.min(limits.restMsMin * 2 ** (attempt.round - 1), limits.restMsMax);
  return { ...attempt, name: "resting", dueMs: nowMs + restMs };
}

/** How a case that has ended is written down; `undefined` for one that goes on. */
export function outcomeOf(
  ended: DriftCase,
): { readonly action: AuditAction; readonly result: AuditResult } | undefined {
  // Waiting for the other side says least of what was done.
  const action = ended.all.findLast((step) => step !== "waited") ?? ended.all.at(-1) ?? "none";
  if (ended.name === "repaired") return { action, result: "verified" };
  if (ended.name !== "degraded") return undefined;
  const { cause, side } = ended.finding;
  if (planOf(ended.finding).length === 0) return { action, result: "reported" };
  const isUndetermined = cause === "unexplained" || side === "unknown";
  return { action, result: isUndetermined ? "undetermined" : "failed" };
}
