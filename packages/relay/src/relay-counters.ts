import type { HeddleErrorCode } from "@heddle/core";

/** What the relay has seen and done since its start. */
export interface RelayCounters {
  connectionsAccepted: number;
  originsRefused: number;
  socketErrors: number;
  slowConsumersClosed: number;
  broadcasts: number;
  /** Frames written for them. */
  deliveries: number;
  /** Messages of a type that this relay does not speak; ignored as y-websocket servers do. */
  unknownMessages: number;
  readonly refused: Map<HeddleErrorCode, number>;
}

export function newRelayCounters(): RelayCounters {
  return {
    connectionsAccepted: 0,
    originsRefused: 0,
    socketErrors: 0,
    slowConsumersClosed: 0,
    broadcasts: 0,
    deliveries: 0,
    unknownMessages: 0,
    refused: new Map(),
  };
}
