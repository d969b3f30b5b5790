import { isClean, type FoundDrift, type JobReport, type LookedAt } from "@heddle/reconcile";

import type { CommandIo } from "../command-io.ts";
import { visibleText } from "../visible-text.ts";
import { isUnreadable, type AuditLine } from "./audit-lines.ts";
import { operatorName } from "./operator-name.ts";
import { jobScopeOf, scopeText, type ScopeOptions } from "./scope-options.ts";
import { withDesk, type DeskOptions } from "./with-desk.ts";

export interface ReconcileOptions extends DeskOptions, ScopeOptions {
  readonly projection?: string;
  readonly dryRun?: boolean;
  readonly thorough?: boolean;
  readonly ifMoved?: boolean;
  readonly acceptCap?: boolean;
  readonly correctionsMax?: number;
}

/** Drifts that a person is shown; `--json` has more. */
const driftsShown = 20;

/**
 * `heddle reconcile [data]`: compares projections with their documents now, and corrects them. Status 1 when
 * anything differed, could not be told, or the run did not come to its end.
 */
export async function reconcileCommand(
  data: string,
  options: ReconcileOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<number> {
  const scope = jobScopeOf(options);
  return await withDesk(data, options, io, async (desk) => {
    const { projection, correctionsMax } = options;
    const reports = await desk.reconcile(
      {
        projection,
        scope,
        correctionsMax,
        isDryRun: options.dryRun,
        isThorough: options.thorough,
        isOnlyMoved: options.ifMoved,
        acceptsCap: options.acceptCap,
        by: operatorName(),
      },
      stop,
    );
    if (options.json) for (const report of reports) io.out(visibleText(JSON.stringify(report)));
    else for (const report of reports) printReport(report, io);
    return reports.every(foundNothing) ? 0 : 1;
  });
}

function foundNothing(report: JobReport): boolean {
  return isClean(report) && report.counts.drifts === 0;
}

function printReport(report: JobReport, io: CommandIo): void {
  const { projection, outcome, counts, drifts, undetermined, tookMs, isDryRun, scope } = report;
  const seconds = (tookMs / 1_000).toFixed(1);
  const { documents, totals, partitions } = counts;
  const kind = isDryRun ? " (dry run)" : "";
  io.out(
    `${projection}${kind}: ${outcome}, ${documents} documents and ${totals} totals in ${partitions} partitions, ${seconds} s`,
  );
  const looked = lookText(report);
  if (looked !== undefined) io.out(`  ${looked}`);
  const narrowed = scopeText(scope);
  if (narrowed !== undefined) io.out(visibleText(`  ${narrowed}`));
  const found = Object.entries({
    drifted: counts.drifts,
    corrected: counts.corrections,
    "handed over": counts.emitted,
    failed: counts.failures,
    undetermined: counts.undetermined,
    "put off": counts.postponed,
    "partitions not looked at": counts.partitionsSkipped,
  }).filter(([, count]) => count > 0);
  if (found.length > 0) io.out(`  ${found.map(([what, count]) => `${count} ${what}`).join(", ")}`);
  for (const drift of drifts.slice(0, driftsShown)) io.out(visibleText(`  ${textOf(drift)}`));
  if (drifts.length > driftsShown) io.out(`  and ${counts.drifts - driftsShown} more`);
  for (const { document, reason } of undetermined.slice(0, driftsShown)) {
    io.out(`  document ${document} cannot be told: ${reason}`);
  }
  const advice = adviceOf[outcome];
  if (advice !== undefined) io.out(`  ${advice}`);
}

/** What a run did not look at because it had not moved; `undefined` when it looked at everything. */
function lookText({ outcome, since, wholeLook }: JobReport): string | undefined {
  if (since === undefined) return undefined;
  const what = outcome === "unmoved" ? "unmoved since" : "only what moved since";
  return `${what} ${runText(since)}${wholeLook ? `; everything was looked at by ${runText(wholeLook)}` : ""}`;
}

function runText({ run, atMs }: LookedAt): string {
  return `run ${run} at ${new Date(atMs).toISOString()}`;
}

const adviceOf: Readonly<Partial<Record<JobReport["outcome"], string>>> = {
  capped: "it stopped at its cap: look at heddle audit, and go on with --accept-cap",
  held: "another process does this now",
  "source-behind": "the documents are older than the projection: is this a restored backup?",
  "not-built": "the projection has not been built here yet",
  "other-definition": "it was built by another definition: heddle rebuild",
};

function textOf({
  partition,
  document,
  keys,
  keyCount,
  cause,
  action,
  isRecurring,
}: FoundDrift): string {
  const shown = keys.slice(0, 3).map(({ key, before, after, isDamaged }) => {
    const was = isDamaged ? "damaged" : (JSON.stringify(before) ?? "nothing");
    return `${key} ${was} → ${JSON.stringify(after) ?? "nothing"}`;
  });
  const more = keyCount > shown.length ? `, and ${keyCount - shown.length} keys more` : "";
  const of = document === undefined ? "total" : `document ${document}`;
  const again = isRecurring ? ", again" : "";
  return `${action}, ${cause}${again}: ${partition} ${of}: ${shown.join(", ")}${more}`;
}

export interface AuditOptions extends DeskOptions {
  readonly projection?: string;
  readonly limit: number;
}

/** `heddle audit [data]`: who corrected what, when and why, in the projections and in this replica's log. */
export async function auditCommand(
  data: string,
  { projection, limit, ...options }: AuditOptions,
  io: CommandIo,
): Promise<number> {
  return await withDesk(data, options, io, async (desk) => {
    const lines = await desk.audit({ projection, limit });
    for (const { journal, trimmed } of await desk.trimmed()) {
      const text = `${trimmed} older entries of the journal of ${journal} are not kept any more`;
      io.out(options.json ? JSON.stringify({ journal, trimmed }) : text);
    }
    for (const line of lines) {
      io.out(visibleText(options.json ? JSON.stringify(line) : lineText(line)));
    }
    if (options.json) return 0;
    const unreadable = lines.filter(isUnreadable).length;
    if (unreadable > 0) io.out(`${unreadable} of these entries cannot be read`);
    if (lines.length === 0) io.out("nothing was ever found to differ");
    return 0;
  });
}

function lineText(line: AuditLine): string {
  if (isUnreadable(line)) return `entry ${line.number} of ${line.journal}: ${line.detail}`;
  return wordsOf(line);
}

function wordsOf(line: AuditLine): string {
  const { at, by, subject, cause, action, result, before, after, detail } = line;
  const of = Object.entries(subject).map(([name, value]) => `${name} ${value}`);
  const change = before || after ? `: ${before?.text ?? ""}${becameText(line)}` : "";
  return `${at} ${action} (${cause}, ${result}) ${of.join(" ")}${change} by ${by}; ${detail}`;
}

/** What a value was made, or what it was compared with where it was left as it is. */
function becameText({ after, against }: AuditLine): string {
  if (after === undefined && against?.text) return `, compared with ${against.text}`;
  return ` → ${after?.text ?? ""}`;
}

export interface RebuildOptions extends DeskOptions {
  readonly projection?: string;
}

/** `heddle rebuild [data]`: builds projections anew beside those that are read, and switches to them. */
export async function rebuildCommand(
  data: string,
  { projection, ...options }: RebuildOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<number> {
  return await withDesk(data, options, io, async (desk) => {
    const rebuilt = await desk.rebuild({ projection }, stop);
    if (options.json) io.out(JSON.stringify(rebuilt));
    else for (const { name, generation } of rebuilt) io.out(`${name}: generation ${generation}`);
    return 0;
  });
}
