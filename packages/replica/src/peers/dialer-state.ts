import type { HeddleError } from "@heddle/core";

/**
 * Where a {@link PeerDialer} stands. Times are of the monotonic clock.
 *
 *   idle ──► dialing ──► greeting ──► live
 *    ▲          │ failed    │ ended     │ ended
 *    │          └───────────┴───────────┴──► waiting, or breaker-open after many ──due──► dialing
 *    │                                  └──► refused (for good, until `retryNow`)
 *    └── offline (no attempt is made)                 stopped (final)
 */
export type DialerState =
  | { readonly name: "idle" }
  /** The transport looks for a connection. */
  | { readonly name: "dialing"; readonly failures: number; readonly isHalfOpen: boolean }
  /** There is a connection, and no session yet. */
  | { readonly name: "greeting"; readonly failures: number; readonly isHalfOpen: boolean }
  | { readonly name: "live" }
  | { readonly name: "waiting"; readonly failures: number; readonly dueMs: number }
  | { readonly name: "breaker-open"; readonly failures: number; readonly dueMs: number }
  /** `code` is a close code from 4400 to 4499. */
  | { readonly name: "refused"; readonly code: number }
  | { readonly name: "offline" }
  | { readonly name: "stopped" };

/** Where a connection to a peer stands, in one word. */
export type DialerStateName = DialerState["name"];

/** One step of a connection to a peer. */
export interface DialerChange {
  readonly state: DialerState;
  readonly previous: DialerState;
  /** Why a dial failed, when it was one. */
  readonly error?: HeddleError;
}

/** What became of all dials to one peer; they only grow. */
export interface DialerCounters {
  dials: number;
  /** Dials that gave a connection. */
  opened: number;
  /** Of those, how many became sessions. */
  live: number;
  /** Dials that failed and connections that ended, of themselves. */
  failures: number;
  /** Of those, how many failed at the dialer's own deadline. */
  timeouts: number;
  /** The peer said that trying again changes nothing. */
  refusals: number;
  /** Dials given up because of `stop` or `setOnline(false)`. */
  aborted: number;
  /** Connections that came after their dial was given up; closed at once. */
  late: number;
  /** How often each state was entered. */
  readonly entered: Record<DialerStateName, number>;
}

export function newDialerCounters(): DialerCounters {
  return {
    dials: 0,
    opened: 0,
    live: 0,
    failures: 0,
    timeouts: 0,
    refusals: 0,
    aborted: 0,
    late: 0,
    entered: {
      idle: 0,
      dialing: 0,
      greeting: 0,
      live: 0,
      waiting: 0,
      "breaker-open": 0,
      refused: 0,
      offline: 0,
      stopped: 0,
    },
  };
}
