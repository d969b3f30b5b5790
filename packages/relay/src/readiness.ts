import type { HeddleErrorCode, LogStore, RollbackReason } from "@heddle/core";
import type { DriftWatch, PeerHost, PeerSet, Replica } from "@heddle/replica";

import type { LanEvent } from "./peer-metrics.ts";
import type { RelayLimit } from "./relay-limits.ts";
import type { Relay } from "./relay.ts";

/** The parts of a running relay that the admin port looks at. */
export interface ObservedRelay {
  readonly relay: Relay;
  readonly replica: Replica;
  readonly store: LogStore;
  /** Reads and proves the store now and then. */
  /** The device key is another one than at the last start. */
  readonly deviceChanged?: boolean;
  readonly scrub?: { readonly status: ScrubFigures } | undefined;
  readonly peers?: ObservedPeers | undefined;
  readonly drift?: DriftWatch | undefined;
  readonly lan?: ObservedLan | undefined;
  /** By projection. */
  readonly reconciliation?: ReadonlyMap<string, ObservedReconciliation> | undefined;
  readonly projections?: { readonly statuses: readonly ObservedProjection[] } | undefined;
  /** The journal of projections, and what its bounds have taken away ever. */
  readonly journal?: { readonly trimmed: number } | undefined;
  /** By name. */
  readonly sinks?: ReadonlyMap<string, ObservedSink> | undefined;
}

/** How one projection follows the feed. */
export interface ObservedProjection {
  readonly name: string;
  readonly counters: { readonly invalid: number; readonly late: number };
  readonly failures: number;
}

/** What one sink has handed to the outside, and what waits. */
export interface ObservedSink {
  readonly counters: {
    readonly delivered: number;
    readonly failed: number;
    readonly dead: number;
    readonly undetermined: number;
    readonly damagedRecords: number;
  };
  readonly turnsFailed: number;
  readonly dead: { readonly count: number; readonly dropped: number };
  readonly lag: number;
  readonly ageMs: number;
  /** The breaker is open. */
  readonly isAway: boolean;
}

/** What is known of comparing one projection with its documents, since the process started. */
export interface ObservedReconciliation {
  readonly runs: ReadonlyMap<string, number>;
  readonly drifts: number;
  readonly corrections: number;
  readonly emitted: number;
  readonly failures: number;
  readonly recurring: number;
  readonly reads: number;
  readonly busyMs: number;
  readonly lastScanMs: number;
  readonly undetermined: number;
  readonly postponed: number;
  readonly largestDrift: number;
  readonly isCapped: boolean;
  readonly ageMs: number;
  readonly wholeAgeMs: number;
  readonly stalledMs: number;
}

/** What a relay that is one of the devices of a LAN knows of them. */
export interface ObservedLan {
  readonly counters: Readonly<Record<LanEvent, number>>;
  /** Paired devices. */
  readonly peers: readonly { readonly state: string }[];
}

export interface ObservedPeers {
  readonly host: PeerHost;
  /** Those that this relay looks for by itself. */
  readonly set: PeerSet;
}

export interface ScrubFigures {
  readonly done: number;
  readonly failed: number;
  /** What the last one found. */
  readonly damages: number;
  readonly lastDoneAtMs: number | undefined;
}

export interface Finding {
  readonly reason:
    | "starting"
    | "draining"
    | "store-fenced"
    | "store-closed"
    | "overloaded"
    | "documents-damaged"
    | "store-rolled-back"
    | "store-read-only"
    | "store-damaged"
    | "device-changed"
    | "parked-old"
    | "sinks-away"
    | "sinks-dead";
  readonly code?: HeddleErrorCode;
  readonly limit?: RelayLimit;
  readonly rollback?: RollbackReason;
  readonly count?: number;
  readonly oldestSeconds?: number;
}

export interface ReadinessReport {
  /** Whether new clients should be sent here. */
  readonly ready: boolean;
  /** Why not; empty when ready. */
  readonly reasons: readonly Finding[];
  /** What somebody should look at although clients are served. */
  readonly degraded: readonly Finding[];
}

/**
 * Decides whether clients should come here. A relay that cannot write is not ready: it would refuse
 * everybody. One with damaged or waiting documents is, since all others work; so is one that is too busy for
 * newcomers, or a whole fleet would be "not ready" the moment it is needed most.
 */
export function readinessOf(
  observed: ObservedRelay | undefined,
  isDraining: boolean,
  nowMs: number,
): ReadinessReport {
  const reasons = blockers(observed, isDraining || (observed?.relay.isDraining ?? false));
  const degraded = observed ? impairments(observed, nowMs) : [];
  return { ready: reasons.length === 0, reasons, degraded };
}

function blockers(observed: ObservedRelay | undefined, isDraining: boolean): Finding[] {
  const reasons: Finding[] = [];
  if (isDraining) reasons.push({ reason: "draining" });
  if (observed === undefined) {
    return isDraining ? reasons : [{ reason: "starting" }];
  }
  const { store, replica } = observed;
  if (store.state.name === "fenced") {
    reasons.push({ reason: "store-fenced", code: store.state.error.code });
  } else if (replica.state.name === "suspended") {
    reasons.push({ reason: "store-fenced", code: replica.state.error.code });
  } else if (store.state.name === "closed") {
    reasons.push({ reason: "store-closed" });
  }
  return reasons;
}

function impairments(observed: ObservedRelay, nowMs: number): Finding[] {
  const { relay, replica, store, scrub, deviceChanged } = observed;
  const findings: Finding[] = [];
  const { exceeded } = relay.load;
  if (exceeded) findings.push({ reason: "overloaded", limit: exceeded });
  if (store.state.name === "open" && store.state.readOnly) {
    findings.push({ reason: "store-read-only", code: store.state.readOnly.code });
  }
  if (scrub && scrub.status.damages > 0) {
    findings.push({ reason: "store-damaged", count: scrub.status.damages });
  }
  const { rollback } = store.opening;
  if (rollback) {
    const { reason, groupsLost } = rollback;
    findings.push({ reason: "store-rolled-back", rollback: reason, count: groupsLost });
  }
  if (deviceChanged) findings.push({ reason: "device-changed" });
  const damaged = replica.damagedDocuments;
  if (damaged > 0) findings.push({ reason: "documents-damaged", count: damaged });
  const { count, oldestAtMs = nowMs } = replica.parking;
  if (nowMs - oldestAtMs > replica.parkingBounds.oldMs) {
    const oldestSeconds = Math.round((nowMs - oldestAtMs) / 1_000);
    findings.push({ reason: "parked-old", count, oldestSeconds });
  }
  const sinks = [...(observed.sinks?.values() ?? [])];
  const away = sinks.filter(({ isAway }) => isAway).length;
  if (away > 0) findings.push({ reason: "sinks-away", count: away });
  const dead = sinks.reduce((sum, sink) => sum + sink.dead.count, 0);
  if (dead > 0) findings.push({ reason: "sinks-dead", count: dead });
  return findings;
}
