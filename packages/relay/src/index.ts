export { CloseCode, closeCodeOf } from "./close-code.ts";
export type { RelayCounters } from "./relay-counters.ts";
export {
  assertAccessDecided,
  defaultRelayLimits,
  isLoopback,
  type RelayAccess,
  type RelayLimits,
  type RelayOptions,
} from "./relay-options.ts";
export { Relay } from "./relay.ts";
