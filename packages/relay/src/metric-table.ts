import { HeddleErrorCode, rollbackReasons } from "@heddle/core";
import type { ReplicaCounters } from "@heddle/replica";

import { driftMetrics } from "./drift-metrics.ts";
import { peerMetrics } from "./peer-metrics.ts";
import { projectionMetrics } from "./projection-metrics.ts";
import { reconcileMetrics } from "./reconcile-metrics.ts";
import type { ObservedRelay } from "./readiness.ts";
import type { RelayCounters } from "./relay-counters.ts";
import { defaultRelayLimits, type RelayLimit, type RelayLimits } from "./relay-limits.ts";
import { sinkMetrics } from "./sink-metrics.ts";

export type LabelledValues = Iterable<readonly [label: string, value: number]>;

/** A metric whose value already exists somewhere: it is read when somebody asks, and costs nothing before. */
export interface ReadMetric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  /** Name of the one label of {@link LabelledValues}. Never an id of a document or a person. */
  readonly label?: string;
  readonly read: (observed: ObservedRelay, nowMs: number) => number | LabelledValues;
}

const storeStates = ["open", "read-only", "fenced", "closed"] as const;

const outcomes = ["admitted", "duplicate", "parked", "held", "quarantined"] as const;
type UpdateOutcome = (typeof outcomes)[number];

/** What the load gauge looks at. */
const ceilings: readonly RelayLimit[] = ["memoryBytesMax", "heapPercentMax", "eventLoopLagMsMax"];

/** Those that the replica keeps, and counts. */
const limitsOfReplica: ReadonlyMap<RelayLimit, (counters: ReplicaCounters) => number> = new Map([
  ["trialBytesMax", ({ trialsRefused }) => trialsRefused],
  ["documentBytesMax", ({ documentsFull }) => documentsFull],
  ["parkedUpdatesMax", ({ parkingFull }) => parkingFull.get("updatesMax") ?? 0],
  ["parkedBytesMax", ({ parkingFull }) => parkingFull.get("bytesMax") ?? 0],
  ["parkedOldMs", ({ parkingAlarms }) => parkingAlarms],
]);

const relayLimits = (Object.keys(defaultRelayLimits) as (keyof RelayLimits)[]).filter(
  (name): name is RelayLimit => name !== "limitLoopback",
);

/** docs/metrics.md lists every one of them, and a test keeps the two equal. */
export const readMetrics: readonly ReadMetric[] = [
  ...peerMetrics,
  ...driftMetrics,
  ...reconcileMetrics,
  ...projectionMetrics,
  ...sinkMetrics,
  ...relayCounters({
    peersAccepted: ["heddle_peers_accepted_total", "Upgrades of heddle replicas accepted."],
    connectionsAccepted: ["heddle_connections_accepted_total", "Upgrades accepted."],
    originsRefused: ["heddle_origins_refused_total", "Upgrades refused by their origin."],
    upgradesRefused: ["heddle_upgrades_refused_total", "Requests refused before the upgrade."],
    socketErrors: ["heddle_socket_errors_total", "Errors of sockets, bad frames among them."],
    unknownMessages: ["heddle_messages_unknown_total", "Messages of unknown types, ignored."],
    bytesReceived: ["heddle_received_bytes_total", "Bytes of messages of clients."],
    bytesSent: ["heddle_sent_bytes_total", "Bytes of frames handed to sockets."],
    readsPaused: ["heddle_reads_paused_total", "Times that a fast sender was slowed down."],
    broadcasts: ["heddle_broadcasts_total", "Updates shown to a room."],
    deliveries: ["heddle_deliveries_total", "Frames written for broadcasts."],
    catchUps: ["heddle_catch_ups_total", "Catch-ups written from the log."],
    catchUpsDelayed: ["heddle_catch_ups_delayed_total", "Catch-ups that had to wait."],
    sendsDropped: ["heddle_sends_dropped_total", "Live frames left to a later catch-up."],
    slowConsumersClosed: ["heddle_slow_consumers_closed_total", "Readers who were given up."],
    awarenessDropped: ["heddle_awareness_dropped_total", "Presence frames without room."],
    awarenessIgnored: ["heddle_awareness_ignored_total", "Presence that was not the sender's."],
    awarenessTakeovers: ["heddle_awareness_takeovers_total", "Presence that changed hands."],
    documentsCreated: ["heddle_documents_created_total", "Documents that were new here."],
  }),
  {
    name: "heddle_connections_refused_total",
    help: "Connections refused, by error code.",
    type: "counter",
    label: "code",
    read: ({ relay }) => {
      // Every code from the start: a rate over a series that was not there before sees no first one.
      const codes = Object.values(HeddleErrorCode);
      return codes.map((code) => [code, relay.counters.refused.get(code) ?? 0] as const);
    },
  },
  {
    name: "heddle_updates_total",
    help: "Updates handed in, by what became of them.",
    type: "counter",
    label: "outcome",
    read: ({ replica }) => outcomes.map((name) => [name, replica.counters[name]] as const),
  },
  {
    name: "heddle_limits_reached_total",
    help: "Times that a limit refused, dropped or slowed something, by limit.",
    type: "counter",
    label: "limit",
    read: ({ relay, replica }) =>
      relayLimits.map((limit) => [
        limit,
        limitsOfReplica.get(limit)?.(replica.counters) ?? relay.counters.limited.get(limit) ?? 0,
      ]),
  },
  ...replicaCounters({
    released: ["heddle_updates_released_total", "Parked updates that fitted later."],
    rounds: ["heddle_rounds_total", "Commit rounds that reached the disk."],
    envelopes: ["heddle_envelopes_total", "Envelopes that reached the disk."],
    resets: ["heddle_store_resets_total", "Times that the store failed."],
    judged: ["heddle_updates_judged_total", "Updates tried on a scratch document first."],
    trialsRefused: ["heddle_trials_refused_total", "Updates with no room to wait for a trial."],
    trialsWithdrawn: ["heddle_trials_withdrawn_total", "Trials let go with their connection."],
    trialsSuspended: ["heddle_trials_suspended_total", "Updates of documents too large to try."],
    documentsFull: ["heddle_documents_full_total", "Updates that a document had no room for."],
    quarantineOverflow: ["heddle_quarantine_overflow_total", "Refused, and no room to keep it."],
    audits: ["heddle_audits_total", "Looks at what many untried updates add up to."],
    recalled: ["heddle_envelopes_recalled_total", "Envelopes taken out of their documents."],
    parkingRefused: ["heddle_parking_refused_total", "Parts of updates without room to wait."],
    parkingEvicted: ["heddle_parking_evicted_total", "Parked updates that made room for others."],
    parkingAlarms: ["heddle_parking_alarms_total", "Times that something was parked too long."],
    clocksAhead: ["heddle_clocks_ahead_total", "Envelopes from minutes in our future."],
    checkpoints: ["heddle_checkpoints_total", "Checkpoints built and read back."],
    checkpointsRefused: ["heddle_checkpoints_refused_total", "Builds that were not trusted."],
    envelopesPruned: ["heddle_envelopes_pruned_total", "Envelopes dropped below checkpoints."],
    readOnlyRefusals: [
      "heddle_updates_refused_read_only_total",
      "Refused as the disk is nearly full.",
    ],
  }),
  gauge("heddle_connections_open", "Connections of clients.", ({ relay }) => relay.connectionCount),
  gauge("heddle_receiving_bytes", "Bytes of messages that are not complete.", ({ relay }) => {
    return relay.load.receivingBytes;
  }),
  gauge("heddle_catch_up_bytes", "Bytes of catch-ups that are not read.", ({ relay }) => {
    return relay.load.catchUpBytes;
  }),
  {
    name: "heddle_relay_overloaded",
    help: "1 for the ceiling that keeps newcomers out.",
    type: "gauge",
    label: "limit",
    read: ({ relay }) => ceilings.map((limit) => [limit, relay.load.exceeded === limit ? 1 : 0]),
  },
  gauge("heddle_documents_open", "Documents in memory.", ({ replica }) => replica.openDocuments),
  gauge(
    "heddle_documents_damaged",
    "Documents that could not be proved when they were read.",
    ({ replica }) => replica.damagedDocuments,
  ),
  gauge("heddle_documents_suspended", "Too dear, with nobody to blame.", ({ replica }) => {
    return replica.suspendedDocuments;
  }),
  gauge("heddle_trial_bytes", "Bytes held for trials.", ({ replica }) => replica.trialBytes),
  gauge("heddle_parked_updates", "Updates that wait.", ({ replica }) => replica.parking.count),
  gauge("heddle_parked_bytes", "Bytes that wait.", ({ replica }) => replica.parking.bytes),
  gauge("heddle_parked_oldest_seconds", "Age of the oldest parked update.", oldestParkedSeconds),
  gauge(
    "heddle_recovery_seconds",
    "How long recovery took at the start.",
    ({ replica }) => replica.recovery.tookMs / 1_000,
  ),
  {
    name: "heddle_scrubs_total",
    help: "Times that the whole store was read, by what came of it.",
    type: "counter",
    label: "outcome",
    read: ({ scrub }) => [
      ["done", scrub?.status.done ?? 0],
      ["failed", scrub?.status.failed ?? 0],
    ],
  },
  gauge("heddle_scrub_age_seconds", "Since the last scrub ended.", ({ scrub }, nowMs) => {
    return scrub?.status.lastDoneAtMs === undefined
      ? 0
      : Math.max(0, nowMs - scrub.status.lastDoneAtMs) / 1_000;
  }),
  gauge("heddle_store_damages", "What the last scrub found damaged.", ({ scrub }) => {
    return scrub?.status.damages ?? 0;
  }),
  gauge("heddle_device_changed", "1 when the device key is not that of before.", (observed) => {
    return observed.deviceChanged ? 1 : 0;
  }),
  {
    name: "heddle_store_rolled_back",
    help: "1 for the reason for which the store may be an older state of itself.",
    type: "gauge",
    label: "reason",
    read: ({ store }) =>
      rollbackReasons.map((reason) => [reason, store.opening.rollback?.reason === reason ? 1 : 0]),
  },
  {
    name: "heddle_store_state",
    help: "1 for the state that the store is in.",
    type: "gauge",
    label: "state",
    read: ({ store }) => {
      const { state } = store;
      const now = state.name === "open" && state.readOnly ? "read-only" : state.name;
      return storeStates.map((name) => [name, now === name ? 1 : 0] as const);
    },
  },
];

type NumberOf<T> = { [Key in keyof T]: T[Key] extends number ? Key : never }[keyof T];

type Named<Key extends string> = Readonly<Record<Key, readonly [name: string, help: string]>>;

/** Every count of the relay: one that is added there and not here does not compile. */
function relayCounters(names: Named<NumberOf<RelayCounters>>): ReadMetric[] {
  return Object.entries(names).map(([key, [name, help]]): ReadMetric => {
    const count = key as NumberOf<RelayCounters>;
    return { name, help, type: "counter", read: ({ relay }) => relay.counters[count] };
  });
}

/** What became of an update is one metric with a label, above; the rest has a name each. */
function replicaCounters(
  names: Named<Exclude<NumberOf<ReplicaCounters>, UpdateOutcome>>,
): ReadMetric[] {
  return Object.entries(names).map(([key, [name, help]]): ReadMetric => {
    const count = key as keyof typeof names;
    return { name, help, type: "counter", read: ({ replica }) => replica.counters[count] };
  });
}

function gauge(name: string, help: string, read: ReadMetric["read"]): ReadMetric {
  return { name, help, type: "gauge", read };
}

function oldestParkedSeconds({ replica }: ObservedRelay, nowMs: number): number {
  const { oldestAtMs = nowMs } = replica.parking;
  return Math.max(0, nowMs - oldestAtMs) / 1_000;
}
