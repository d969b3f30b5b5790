import type { HeddleErrorCode } from "@heddle/core";

import type { RelayLimit } from "./relay-limits.ts";

/** What the relay has seen and done since its start. */
export interface RelayCounters {
  connectionsAccepted: number;
  /** Of heddle replicas; not among the connections. */
  peersAccepted: number;
  originsRefused: number;
  socketErrors: number;
  slowConsumersClosed: number;
  /** Of messages, without WebSocket headers. */
  bytesReceived: number;
  /** Of frames handed to sockets. */
  bytesSent: number;
  broadcasts: number;
  /** Frames written for them. */
  deliveries: number;
  /** Messages of a type that this relay does not speak; ignored as y-websocket servers do. */
  unknownMessages: number;
  /** Requests answered with an error before there was a connection. */
  upgradesRefused: number;
  /** Live frames that a full send buffer had no room for; a catch-up makes up for them. */
  sendsDropped: number;
  /** Presence frames that went the same way; the whole table makes up for them. */
  awarenessDropped: number;
  /** Catch-ups written: answers to sync step 1, and what was dropped. */
  catchUps: number;
  /** Catch-ups that had to wait for a buffer or a budget. */
  catchUpsDelayed: number;
  /** Presence of clients that its sender may not speak for, or that is over a limit. */
  awarenessIgnored: number;
  /** Clients that changed hands because their old connection had fallen silent. */
  awarenessTakeovers: number;
  /** Times that a connection was read more slowly, because it sends too fast. */
  readsPaused: number;
  documentsCreated: number;
  readonly refused: Map<HeddleErrorCode, number>;
  /** How often each limit had something refused, dropped or slowed down. */
  readonly limited: Map<RelayLimit, number>;
}

export function countLimit(counters: RelayCounters, limit: RelayLimit): void {
  counters.limited.set(limit, (counters.limited.get(limit) ?? 0) + 1);
}

export function newRelayCounters(): RelayCounters {
  return {
    connectionsAccepted: 0,
    peersAccepted: 0,
    originsRefused: 0,
    socketErrors: 0,
    slowConsumersClosed: 0,
    bytesReceived: 0,
    bytesSent: 0,
    broadcasts: 0,
    deliveries: 0,
    unknownMessages: 0,
    upgradesRefused: 0,
    sendsDropped: 0,
    awarenessDropped: 0,
    catchUps: 0,
    catchUpsDelayed: 0,
    awarenessIgnored: 0,
    awarenessTakeovers: 0,
    readsPaused: 0,
    documentsCreated: 0,
    refused: new Map(),
    limited: new Map(),
  };
}
