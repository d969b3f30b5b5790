import type { ReadMetric } from "./metric-table.ts";
import type { ObservedProjection } from "./readiness.ts";

/** How following the feed goes. By projection, which operators name. */
export const projectionMetrics: readonly ReadMetric[] = [
  counter("invalid", "Looks at documents on which a definition failed.", ({ counters }) => {
    return counters.invalid;
  }),
  counter("late", "Changes that came after their bucket had ended.", ({ counters }) => {
    return counters.late;
  }),
  counter("failures", "Turns that failed; each is done again.", ({ failures }) => failures),
  {
    name: "heddle_projection_journal_trimmed_total",
    help: "Entries of the journal that made room or were too old, ever.",
    type: "counter",
    read: ({ journal }) => journal?.trimmed ?? 0,
  },
];

function counter(
  what: string,
  help: string,
  read: (projection: ObservedProjection) => number,
): ReadMetric {
  return {
    name: `heddle_projection_${what}_total`,
    help,
    type: "counter",
    label: "projection",
    read: ({ projections }) => {
      return (projections?.statuses ?? []).map((one) => [one.name, read(one)] as const);
    },
  };
}
