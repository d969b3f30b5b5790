import type { CheckpointPolicy, LogGrowthFacts } from "./checkpoint-policy.ts";
import { growthOf } from "./checkpoint-policy.ts";

/** What a document's log holds above its last checkpoint, while the document is in use and after. */
export class LogGrowth {
  isLeaving = false;
  /** Envelopes and bytes of their payloads above the last checkpoint, and the bytes of that one. */
  envelopes: number;
  bytes: number;
  checkpointBytes: number;
  #lastWriteMs: number;
  #dueSinceMs: number | undefined;

  constructor(
    loaded: { readonly envelopes: number; readonly bytes: number },
    checkpointBytes: number,
    nowMs: number,
  ) {
    this.envelopes = loaded.envelopes;
    this.bytes = loaded.bytes;
    this.checkpointBytes = checkpointBytes;
    this.#lastWriteMs = nowMs;
  }

  add(envelopes: number, bytes: number, nowMs: number): void {
    this.envelopes += envelopes;
    this.bytes += bytes;
    this.#lastWriteMs = nowMs;
  }

  facts(hasParked: boolean): LogGrowthFacts {
    return {
      envelopes: this.envelopes,
      bytes: this.bytes,
      checkpointBytes: this.checkpointBytes,
      lastWriteMs: this.#lastWriteMs,
      dueSinceMs: this.#dueSinceMs,
      hasParked,
      isLeaving: this.isLeaving,
    };
  }

  /** Notes since when a checkpoint has been called for. */
  isDue(policy: CheckpointPolicy, nowMs: number): boolean {
    const isDue = growthOf(policy, this) >= 1;
    if (isDue) this.#dueSinceMs ??= nowMs;
    return isDue;
  }

  /** So much has come that nobody waits for quiet any more. */
  isLate(policy: CheckpointPolicy): boolean {
    return growthOf(policy, this) >= policy.lateFactor;
  }

  /** A checkpoint covers what `before` told of, or none can be made of it: counting begins anew. */
  covered(before: LogGrowthFacts, checkpointBytes?: number): void {
    this.envelopes -= before.envelopes;
    this.bytes -= before.bytes;
    this.#dueSinceMs = undefined;
    if (checkpointBytes !== undefined) this.checkpointBytes = checkpointBytes;
  }
}
