import { driftCauses, type DriftCounters } from "@heddle/replica";

import type { ReadMetric } from "./metric-table.ts";
import type { ObservedRelay } from "./readiness.ts";

/** Documents that were not what they should be, and what became of them. */
export const driftMetrics: readonly ReadMetric[] = [
  byCause("heddle_drift_found_total", "Documents that differed, by cause.", "found"),
  byCause("heddle_drift_repaired_total", "Of them, those that are right again.", "repaired"),
  byCause("heddle_drift_failed_total", "Times that one could not be repaired.", "failed"),
  {
    name: "heddle_drift_degraded",
    help: "Documents that could not be repaired so far.",
    type: "gauge",
    read: ({ drift }) => drift?.degraded.length ?? 0,
  },
  {
    name: "heddle_drift_audits_total",
    help: "Times that all documents were looked at.",
    type: "counter",
    read: ({ drift }) => drift?.counters.audits ?? 0,
  },
  {
    name: "heddle_drift_digests_put_off_total",
    help: "Digests that peers asked for while too many others waited.",
    type: "counter",
    read: ({ drift }) => drift?.counters.digestsPutOff ?? 0,
  },
  {
    name: "heddle_drift_put_off_total",
    help: "Times that a document was not looked at or repaired, as too many others were.",
    type: "counter",
    read: ({ drift }) => drift?.counters.putOff ?? 0,
  },
  {
    name: "heddle_audit_entries_unwritten",
    help: "Entries of the audit journal that the store has not taken.",
    type: "gauge",
    read: ({ drift }) => drift?.unwrittenEntries ?? 0,
  },
];

/** Every cause from the start: a rate over a series that was not there before sees no first one. */
function byCause(
  name: string,
  help: string,
  counts: keyof Pick<DriftCounters, "found" | "repaired" | "failed">,
): ReadMetric {
  const read = ({ drift }: ObservedRelay) =>
    driftCauses.map((cause) => [cause, drift?.counters[counts].get(cause) ?? 0] as const);
  return { name, help, type: "counter", label: "cause", read };
}
