import type { ReadMetric } from "./metric-table.ts";
import type { ObservedReconciliation } from "./readiness.ts";

/**
 * What comparing projections with documents found, did and cost. By projection, which operators name; never
 * by partition or key, which may be content and have no bound.
 */
export const reconcileMetrics: readonly ReadMetric[] = [
  {
    name: "heddle_reconcile_runs_total",
    help: "Runs that compared a projection with its documents, by how they ended.",
    type: "counter",
    label: "outcome",
    read: ({ reconciliation = new Map() }) => {
      const runs = new Map<string, number>();
      for (const figures of reconciliation.values()) {
        for (const [outcome, count] of figures.runs) {
          runs.set(outcome, (runs.get(outcome) ?? 0) + count);
        }
      }
      return runs;
    },
  },
  counter("drifts", "Rows and totals that were not what their documents say.", "drifts"),
  counter("corrections", "Of these, corrected.", "corrections"),
  counter("emitted", "Of these, handed to the application.", "emitted"),
  counter("failures", "Corrections that were not there afterwards, or were refused.", "failures"),
  counter("recurring", "Drifts at a place that had drifted for the same cause.", "recurring"),
  counter("reads", "Records and documents read to compare them.", "reads"),
  {
    ...counter("busy_seconds", "Time that comparing took.", "busyMs"),
    read: of(({ busyMs }) => busyMs / 1_000),
  },
  gauge("undetermined", "Documents of which the last run could not tell.", "undetermined"),
  gauge("postponed", "Differences that moved whenever the last run looked.", "postponed"),
  gauge("largest_drift", "Largest difference of numbers in the last run.", "largestDrift"),
  seconds("age_seconds", "Since everything was last known to be right.", "ageMs"),
  seconds("whole_age_seconds", "Since everything was last looked at, moved or not.", "wholeAgeMs"),
  seconds("scan_seconds", "How long the last look at everything took.", "lastScanMs"),
  seconds("stalled_seconds", "Since a run that is under way came further.", "stalledMs"),
  {
    ...gauge("capped", "1 when a run stopped at its cap.", "postponed"),
    read: of(({ isCapped }) => (isCapped ? 1 : 0)),
  },
];

type NumberOf<T> = { [Key in keyof T]: T[Key] extends number ? Key : never }[keyof T];

function of(value: (figures: ObservedReconciliation) => number): ReadMetric["read"] {
  return ({ reconciliation = new Map<string, ObservedReconciliation>() }) => {
    return [...reconciliation].map(
      ([projection, figures]) => [projection, value(figures)] as const,
    );
  };
}

function counter(what: string, help: string, key: NumberOf<ObservedReconciliation>): ReadMetric {
  const name = `heddle_reconcile_${what}_total`;
  return { name, help, type: "counter", label: "projection", read: of((figures) => figures[key]) };
}

function gauge(what: string, help: string, key: NumberOf<ObservedReconciliation>): ReadMetric {
  const name = `heddle_reconcile_${what}`;
  return { name, help, type: "gauge", label: "projection", read: of((figures) => figures[key]) };
}

function seconds(what: string, help: string, key: NumberOf<ObservedReconciliation>): ReadMetric {
  return { ...gauge(what, help, key), read: of((figures) => figures[key] / 1_000) };
}
