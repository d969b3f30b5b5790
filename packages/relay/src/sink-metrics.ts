import type { ReadMetric } from "./metric-table.ts";
import type { ObservedSink } from "./readiness.ts";

/** What sinks handed to the outside, and what waits or was given up. By sink, which operators name. */
export const sinkMetrics: readonly ReadMetric[] = [
  counter("delivered", "Changes that the outside has taken.", ({ counters }) => counters.delivered),
  counter("retried", "Attempts that failed and were or will be made again.", ({ counters }) => {
    return counters.failed;
  }),
  counter("dead", "Changes that were given up, and kept as dead.", ({ counters }) => counters.dead),
  counter("dead_dropped", "Dead changes dropped for room or age, ever.", ({ dead }) => {
    return dead.dropped;
  }),
  counter("undetermined", "Looks at documents that could not be read.", ({ counters }) => {
    return counters.undetermined;
  }),
  counter("damaged_records", "Records of a sink that could not be read.", ({ counters }) => {
    return counters.damagedRecords;
  }),
  counter("failures", "Turns that the store failed; each is done again.", (sink) => {
    return sink.turnsFailed;
  }),
  gauge("dead_kept", "Dead changes that somebody should see to.", ({ dead }) => dead.count),
  gauge("lag_groups", "Commit groups that were not gone through.", ({ lag }) => lag),
  gauge("age_seconds", "How long something has waited to be handed over.", ({ ageMs }) => {
    return ageMs / 1_000;
  }),
  gauge("breaker_open", "1 while the outside is not asked, as it failed too often.", (sink) => {
    return sink.isAway ? 1 : 0;
  }),
];

type Read = (sink: ObservedSink) => number;

function of(read: Read): ReadMetric["read"] {
  return ({ sinks = new Map<string, ObservedSink>() }) => {
    return [...sinks].map(([name, sink]) => [name, read(sink)] as const);
  };
}

function counter(what: string, help: string, read: Read): ReadMetric {
  const name = `heddle_sink_${what}_total`;
  return { name, help, type: "counter", label: "sink", read: of(read) };
}

function gauge(what: string, help: string, read: Read): ReadMetric {
  return { name: `heddle_sink_${what}`, help, type: "gauge", label: "sink", read: of(read) };
}
