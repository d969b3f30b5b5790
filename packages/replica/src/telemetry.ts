import type { TracedStep } from "./edit-trace.ts";

/** One commit round that reached the disk and was shown; times of the environment's monotonic clock. */
export interface CommitRound {
  /** When its oldest update was handed in; `undefined` where a round only parked updates. */
  readonly receivedMs: number | undefined;
  readonly sealedMs: number;
  readonly syncedMs: number;
  /** When every listener had been told. What they write to sockets may leave later in the tick. */
  readonly shownMs: number;
  readonly envelopes: number;
  /** Of the payloads in them. */
  readonly bytes: number;
  /** Of the last envelope in it that has one. */
  readonly correlationId: Uint8Array | undefined;
}

/** Whoever keeps time statistics. Called once a round, so that single updates cost nothing. */
export interface ReplicaTelemetry {
  onRound(round: CommitRound): void;
  /** Called once for each step of edits that have a correlation id; not at all for others. */
  onTraced?(step: TracedStep): void;
}
