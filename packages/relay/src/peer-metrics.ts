import { newSyncCounters, type SyncCounters } from "@heddle/sync";

import type { ReadMetric } from "./metric-table.ts";
import type { ObservedRelay } from "./readiness.ts";

/** Counts that have a metric of their own; the others are labels of one. */
const directed = {
  heddle_sync_frames_total: {
    help: "Frames between this relay and replicas.",
    received: "framesReceived",
    sent: "framesSent",
  },
  heddle_sync_bytes_total: {
    help: "Bytes of those frames.",
    received: "bytesReceived",
    sent: "bytesSent",
  },
  heddle_sync_envelopes_total: {
    help: "Envelopes between this relay and replicas, again ones included.",
    received: "envelopesReceived",
    sent: "envelopesSent",
  },
} as const;
const isDirected = new Set<string>(
  Object.values(directed).flatMap(({ received, sent }) => [received, sent]),
);
const events = (Object.keys(newSyncCounters()) as (keyof SyncCounters)[]).filter((name) => {
  return !isDirected.has(name);
});

const dialerStates = [
  "idle",
  "dialing",
  "greeting",
  "live",
  "waiting",
  "breaker-open",
  "refused",
  "offline",
  "stopped",
] as const;
const dialOutcomes = ["dials", "opened", "live", "failures", "timeouts", "refusals"] as const;

/** Of a device of the LAN; what it is in between counts as the dialer's. */
const lanStates = ["connected", "not found", ...dialerStates] as const;

/** Every count of the LAN; known beforehand, as a rate over a series that was not there sees no first one. */
const lanEvents = [
  "accepted",
  "dialed",
  "strangersRefused",
  "handshakesFailed",
  "socketsDropped",
  "requestsRefused",
  "wrongDevices",
  "storesRefused",
  "revokedClosed",
  "readsPaused",
  "quotaClosed",
  "documentsPutOff",
  "sightings",
  "announcementsIgnored",
  "goodbyes",
  "packetsTooLarge",
  "packetsTooMany",
  "packetsMalformed",
  "instancesForgotten",
] as const;
export type LanEvent = (typeof lanEvents)[number];

const httpEvents = ["opened", "refused", "full", "strays", "badBodies"] as const;

/** Of the wire between replicas. No label is about one of them. */
export const peerMetrics: readonly ReadMetric[] = [
  {
    name: "heddle_peers_connected",
    help: "Replicas that this relay speaks with, dialed or let in.",
    type: "gauge",
    read: ({ peers }) => peers?.host.sessionCount ?? 0,
  },
  {
    name: "heddle_http_sessions_open",
    help: "Sessions of replicas that come by HTTP requests.",
    type: "gauge",
    read: ({ relay }) => relay.http?.open ?? 0,
  },
  {
    name: "heddle_http_session_events_total",
    help: "What happened with requests of the wire over HTTP, by kind.",
    type: "counter",
    label: "event",
    read: ({ relay }) => httpEvents.map((event) => [event, relay.http?.[event] ?? 0]),
  },
  ...Object.entries(directed).map(([name, { help, received, sent }]): ReadMetric => {
    return {
      name,
      help,
      type: "counter",
      label: "direction",
      read: (observed) => [
        ["received", countersOf(observed)[received]],
        ["sent", countersOf(observed)[sent]],
      ],
    };
  }),
  {
    name: "heddle_sync_events_total",
    help: "What happened on the wire between replicas, by kind.",
    type: "counter",
    label: "event",
    read: (observed) => {
      const counters = countersOf(observed);
      return events.map((event) => [event, counters[event]] as const);
    },
  },
  {
    name: "heddle_peer_dialers",
    help: "Peers that this relay dials, by the state of the connection.",
    type: "gauge",
    label: "state",
    read: ({ peers }) => {
      const states = [...(peers?.set.states.values() ?? [])].map(({ name }) => name);
      return dialerStates.map((state) => [state, states.filter((name) => name === state).length]);
    },
  },
  {
    name: "heddle_peer_dials_total",
    help: "Attempts to reach peers, by how far they came.",
    type: "counter",
    label: "outcome",
    read: ({ peers }) => {
      const dialers = [...(peers?.set.dialers.values() ?? [])];
      return dialOutcomes.map((outcome) => {
        return [outcome, dialers.reduce((sum, { counters }) => sum + counters[outcome], 0)];
      });
    },
  },
  {
    name: "heddle_lan_devices",
    help: "Paired devices of the local network, by how they are reached.",
    type: "gauge",
    label: "state",
    read: ({ lan }) => {
      const states = lan?.peers.map(({ state }) => state) ?? [];
      return lanStates.map((state) => [state, states.filter((name) => name === state).length]);
    },
  },
  {
    name: "heddle_lan_events_total",
    help: "What happened on the local network, by kind.",
    type: "counter",
    label: "event",
    read: ({ lan }) => lanEvents.map((event) => [event, lan?.counters[event] ?? 0]),
  },
];

function countersOf({ peers }: ObservedRelay): SyncCounters {
  return peers?.host.counters ?? newSyncCounters();
}
