export * from "./flow-credit.ts";
export * from "./frame.ts";
export * from "./frame-parts.ts";
export {
  FrameType,
  HaveFlag,
  type AckedPosition,
  type FrameName,
  type WireAttestation,
  type WirePosition,
} from "./frame-shapes.ts";
export * from "./handshake.ts";
export * from "./packed-envelope.ts";
export * from "./wire-limits.ts";
