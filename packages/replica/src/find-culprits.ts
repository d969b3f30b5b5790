import type { ApplyJudge, FailedTrial, Verdict } from "./apply-judge.ts";

/** An update of the log that was tried, by its place in it. */
export interface LoggedUpdate {
  /** Id of its envelope in hex. */
  readonly id: string;
  readonly payload: Uint8Array;
}

/** Leaves out `ids` and what depends on them; what is left can be applied without gaps. */
export type Selection = (ids: ReadonlySet<string>) => readonly LoggedUpdate[];

export interface Findings {
  /** Envelope id in hex → reason. */
  readonly culprits: ReadonlyMap<string, string>;
  /** The rest of the document loads in time. */
  readonly isSound: boolean;
}

/** CPU time that honest updates stay far below; a part of a log gets less to begin with. */
export function auditBudgetMs(updates: readonly Uint8Array[], isWhole: boolean): number {
  let bytes = 0;
  for (const { length } of updates) bytes += length;
  return (isWhole ? 1_000 : 250) + updates.length + (bytes / 1024) * 2;
}

/** Each round finds one that fails, or all that are slow together. */
const roundsMax = 32;

/**
 * Finds the envelopes without which a document loads: applies its log update by update, takes out what
 * fails or is slow with everything that depends on it, and begins anew.
 */
export async function findCulprits(judge: ApplyJudge, select: Selection): Promise<Findings> {
  const culprits = new Map<string, string>();
  for (let round = 0; round < roundsMax; round++) {
    const updates = select(new Set(culprits.keys()));
    const verdict = await tryAll(judge, updates);
    if (verdict.outcome === "ok") return { culprits, isSound: true };
    if (!("reason" in verdict)) break;
    const found = await blame(judge, updates, verdict);
    if (found.length === 0) break;
    const why = `${verdict.outcome}: ${verdict.reason}`;
    for (const { id } of found) culprits.set(id, why);
  }
  return { culprits, isSound: false };
}

function tryAll(judge: ApplyJudge, updates: readonly LoggedUpdate[]): Promise<Verdict> {
  const steps = updates.map(({ payload }) => payload);
  return judge.judge({ urgency: "idle", base: [], steps, budgetMs: auditBudgetMs(steps, true) });
}

async function blame(
  judge: ApplyJudge,
  updates: readonly LoggedUpdate[],
  failed: FailedTrial,
): Promise<readonly LoggedUpdate[]> {
  if (failed.step === undefined) return lastOf(updates, await shortestFailing(judge, updates));
  if (failed.outcome !== "timeout") return updates.slice(failed.step, failed.step + 1);
  return slowest(updates, failed.stepMs, failed.step);
}

/** Length of the shortest beginning of `updates` that fails; 0 when none does. */
async function shortestFailing(
  judge: ApplyJudge,
  updates: readonly LoggedUpdate[],
): Promise<number> {
  let sound = 0;
  let failing = updates.length;
  while (failing - sound > 1) {
    const middle = (sound + failing) >> 1;
    const { outcome } = await tryAll(judge, updates.slice(0, middle));
    if (outcome === "overloaded") return 0;
    if (outcome === "ok") sound = middle;
    else failing = middle;
  }
  return failing;
}

function lastOf(updates: readonly LoggedUpdate[], length: number): readonly LoggedUpdate[] {
  return length === 0 ? [] : updates.slice(length - 1, length);
}

/** Those that took most, until the others stay within half of the budget; the one that was cut off too. */
function slowest(
  updates: readonly LoggedUpdate[],
  stepMs: readonly number[],
  cutOff: number,
): readonly LoggedUpdate[] {
  const payloads = updates.map(({ payload }) => payload);
  const budgetMs = auditBudgetMs(payloads, true);
  const tookMs = stepMs.slice(0, cutOff);
  let restMs = tookMs.reduce((sum, ms) => sum + ms, 0);
  const blamed: LoggedUpdate[] = [];
  // Cut off after less than half of the time, the last one alone took the other half.
  if (restMs < budgetMs / 2) return updates.slice(cutOff, cutOff + 1);
  const order = tookMs.map((ms, index) => ({ ms, index })).toSorted((a, b) => b.ms - a.ms);
  for (const { ms, index } of order) {
    if (restMs <= budgetMs / 2) break;
    restMs -= ms;
    blamed.push(updates[index]!);
  }
  return blamed;
}
