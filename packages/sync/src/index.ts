export * from "./flow-credit.ts";
export * from "./floors.ts";
export * from "./frame.ts";
export * from "./frame-parts.ts";
export {
  FrameType,
  HaveFlag,
  RefusedCode,
  type AckedPosition,
  type FrameName,
  type WireAttestation,
  type WirePosition,
} from "./frame-shapes.ts";
export * from "./close-words.ts";
export * from "./dial-attempt.ts";
export type * from "./discovery.ts";
export * from "./frame-connection.ts";
export * from "./handshake.ts";
export * from "./http-wire.ts";
export * from "./library-trie.ts";
export type { ReplicatedBy } from "./outbox.ts";
export type { OutboxSize, OwnRun } from "./own-envelopes.ts";
export * from "./packed-envelope.ts";
export * from "./subprotocol.ts";
export * from "./wire-limits.ts";
export * from "./bye-code.ts";
export * from "./nak-code.ts";
export * from "./node-web-socket.ts";
export * from "./replication.ts";
export * from "./reorder-buffer.ts";
export * from "./retry-policy.ts";
export type { OfferedDocument } from "./document-offers.ts";
export {
  PeerRole,
  type GreetedPeer,
  type ReplicationOptions,
  type Standing,
} from "./sync-context.ts";
export { newSyncCounters, type SyncCounters } from "./sync-counters.ts";
export type * from "./sync-effects.ts";
export type { PeerStanding } from "./link-lag.ts";
export type * from "./sync-events.ts";
export * from "./sync-limits.ts";
export * from "./signs-of-life.ts";
export * from "./transport.ts";
