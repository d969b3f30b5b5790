import type { LatencySummary } from "./latency.ts";

export interface ReplicaCheck {
  readonly replica: string;
  readonly isEqual: boolean;
  /** UTF-16 units of its text. */
  readonly length: number;
  /** Where its text and the expected one part; only when they do. */
  readonly firstDifference?: number;
}

/** What `--json` prints. */
export interface ReplayReport {
  /** `equal` only if every replica and a fresh late one hold the expected text (APP-1). */
  readonly verdict: "equal" | "not-equal" | "timed-out";
  readonly source: string;
  readonly url: string;
  readonly document: string;
  readonly clients: number;
  readonly agents: number;
  /** Typed, and how many there were to type. */
  readonly transactions: number;
  readonly transactionsPlanned: number;
  readonly expectedLength: number;
  /**
   * From the first transaction typed until every client held every one. A single client holds its
   * own at once, so its time is that of handing them to the socket.
   */
  readonly elapsedMs: number;
  readonly editsPerSecond: number;
  /** From typed at one client to applied at another, one sample for each pair; `null` without. */
  readonly latencyMs: LatencySummary | null;
  readonly reconnects: number;
  readonly replicas: readonly ReplicaCheck[];
  /** After a time-out: what it was waiting for. */
  readonly awaited?: string;
}

export function checkReplica(replica: string, text: string, expected: string): ReplicaCheck {
  const base = { replica, isEqual: text === expected, length: text.length };
  return base.isEqual ? base : { ...base, firstDifference: firstDifference(text, expected) };
}

/** For people. */
export function reportLines(report: ReplayReport): string[] {
  const { transactions, transactionsPlanned, clients, latencyMs } = report;
  const lines = [
    `${report.source}: ${transactions} of ${transactionsPlanned} transactions through ${clients} clients, document ${report.document}`,
    `${(report.elapsedMs / 1000).toFixed(2)} s, ${Math.round(report.editsPerSecond)} edits/s, ${report.reconnects} reconnects`,
  ];
  if (latencyMs !== null) {
    const { p50, p90, p99, max } = latencyMs;
    lines.push(
      `typed to seen elsewhere: p50 ${p50} ms, p90 ${p90} ms, p99 ${p99} ms, max ${max} ms`,
    );
  }
  for (const { replica, isEqual, length, firstDifference } of report.replicas) {
    if (isEqual) continue;
    lines.push(
      `${replica} differs: ${length} characters, expected ${report.expectedLength}, first difference at ${firstDifference}`,
    );
  }
  if (report.awaited !== undefined) lines.push(report.awaited);
  lines.push(verdictLine(report));
  return lines;
}

function verdictLine({ verdict, replicas, expectedLength }: ReplayReport): string {
  switch (verdict) {
    case "equal":
      return `equal: ${replicas.length} replicas, a fresh late one among them, hold the expected ${expectedLength} characters`;
    case "not-equal":
      return "NOT EQUAL";
    case "timed-out":
      return "TIMED OUT";
  }
}

function firstDifference(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) if (a[at] !== b[at]) return at;
  return shared;
}
