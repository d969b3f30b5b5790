export { CloseCode, closeCodeOf } from "./close-code.ts";
export {
  HttpAcceptor,
  httpAcceptorLimits,
  type HttpAcceptorCounters,
  type HttpAcceptorLimits,
  type HttpAcceptorOptions,
} from "./http-acceptor.ts";
export {
  isPageOrigin,
  pageDoor,
  type PageDoor,
  type PageDoorOptions,
  type PageDoorStatus,
} from "./page-door.ts";
export {
  readinessOf,
  type Finding,
  type ObservedLan,
  type ObservedPeers,
  type ObservedRelay,
  type ReadinessReport,
} from "./readiness.ts";
export type { RelayCounters } from "./relay-counters.ts";
export {
  defaultRelayLimits,
  parseRelayLimits,
  replicaLimitsOf,
  type RelayLimit,
  type RelayLimits,
} from "./relay-limits.ts";
export {
  assertAccessDecided,
  isLoopback,
  type RelayAccess,
  type RelayOptions,
} from "./relay-options.ts";
export { Relay } from "./relay.ts";
