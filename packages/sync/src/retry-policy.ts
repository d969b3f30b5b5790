import type { Random } from "@heddle/core";

export interface RetryLimits {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** Failures in a row after which the breaker opens. */
  readonly failuresMax: number;
  /** How long it stays open before one attempt is let through. */
  readonly openMs: number;
}

export const retryLimits: RetryLimits = {
  delayMsMin: 200,
  delayMsMax: 30_000,
  failuresMax: 8,
  openMs: 60_000,
};

/**
 * When to try a peer again. Pure: time comes with each call.
 *
 *   idle ──attempt──► trying ──succeeded──► live ──lost──► waiting
 *     ▲                 │ failed                              │ due
 *     └── waiting ◄─────┤                                     ▼
 *                       ├── too often ──► open ──due──► trying (half open: one failure opens again)
 *                       └── refused for good ──► stopped
 */
export type RetryState =
  | { readonly name: "idle" }
  | { readonly name: "trying"; readonly failures: number; readonly isHalfOpen: boolean }
  | { readonly name: "live" }
  | { readonly name: "waiting"; readonly failures: number; readonly dueMs: number }
  | { readonly name: "open"; readonly failures: number; readonly dueMs: number }
  /** Trying again would change nothing until somebody changes a setting. */
  | { readonly name: "stopped"; readonly code: number };

export type RetryEvent =
  | { readonly name: "attempt" }
  | { readonly name: "succeeded" }
  /** An attempt failed, or a live connection was lost. */
  | { readonly name: "failed" }
  /** The peer closed with a permanent code (4400 to 4499). */
  | { readonly name: "refused"; readonly code: number }
  /** Settings changed, the network came back: begin afresh, at once, unless it works already. */
  | { readonly name: "reset" };

export function nextRetryState(
  state: RetryState,
  event: RetryEvent,
  { nowMs, random, limits = retryLimits }: RetryContext,
): RetryState {
  if (event.name === "reset") {
    return state.name === "live" || state.name === "trying" ? state : { name: "idle" };
  }
  if (state.name === "stopped") return state;
  const failures = "failures" in state ? state.failures : 0;
  switch (event.name) {
    case "attempt":
      return { name: "trying", failures, isHalfOpen: state.name === "open" };
    case "succeeded":
      return { name: "live" };
    case "refused":
      return { name: "stopped", code: event.code };
    case "failed": {
      const count = failures + 1;
      const isHalfOpen = state.name === "trying" && state.isHalfOpen;
      if (isHalfOpen || count >= limits.failuresMax) {
        // Spread as well, or all clients of a dead relay knock at the same moment.
        const openMs = limits.openMs * (0.5 + fraction(random));
        return { name: "open", failures: count, dueMs: nowMs + openMs };
      }
      return { name: "waiting", failures: count, dueMs: nowMs + fullJitter(count, limits, random) };
    }
    default:
      return event;
  }
}

export interface RetryContext {
  readonly nowMs: number;
  readonly random: Random;
  readonly limits?: RetryLimits;
}

/** True when an attempt may be made now. */
export function mayAttempt(state: RetryState, nowMs: number): boolean {
  switch (state.name) {
    case "idle":
      return true;
    case "waiting":
    case "open":
      return nowMs >= state.dueMs;
    default:
      return false;
  }
}

/**
 * Full jitter: anything from the least delay to a bound that doubles with each failure.
 * Source: Brooker, "Exponential Backoff And Jitter", 2015.
 */
export function fullJitter(
  failures: number,
  { delayMsMin, delayMsMax }: Pick<RetryLimits, "delayMsMin" | "delayMsMax">,
  random: Random,
): number {
  const boundMs = Math.min(delayMsMax, delayMsMin * 2 ** Math.min(failures, 30));
  return delayMsMin + fraction(random) * (boundMs - delayMsMin);
}

/** From 0 to just below 1. */
function fraction(random: Random): number {
  const [high = 0, low = 0] = random.bytes(2);
  return (high * 256 + low) / 65_536;
}
