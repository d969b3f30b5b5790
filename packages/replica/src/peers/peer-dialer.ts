import {
  assert,
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  unreachable,
  type Environment,
} from "@heddle/core";
import {
  byeCodeOf,
  isPermanentBye,
  mayAttempt,
  nextRetryState,
  retryLimits,
  transportLimits,
  type Connection,
  type RetryEvent,
  type RetryLimits,
  type RetryState,
  type Transport,
} from "@heddle/sync";

import {
  newDialerCounters,
  type DialerChange,
  type DialerCounters,
  type DialerState,
} from "./dialer-state.ts";

/** Bounds of the back-off, which may be others by the next failure. */
export type PeerRetry = () => Partial<RetryLimits>;

/** Whom a dialer dials, and who takes what it gets. */
export interface PeerDialerOptions {
  readonly transport: Transport;
  readonly environment: Pick<Environment, "clock" | "scheduler" | "random">;
  /** Takes the connection, listens to it, and reports what becomes of it. */
  readonly onConnected: (dialed: DialedConnection) => void;
  readonly onChange?: (change: DialerChange) => void;
  /** Asked each time that something fails; whatever it leaves out is {@link retryLimits}'. */
  readonly retry?: PeerRetry;
  /** Above the transport's own deadline, for one that does not keep it. */
  readonly dialMsMax?: number;
  /**
   * A session counts as a success once it has lasted so long: a peer that greets and hangs up, again and
   * again, is backed off from like one that does not answer.
   */
  readonly steadyMs?: number;
}

/** The host owns the connection: the dialer never closes what it has handed over. */
export interface DialedConnection {
  readonly connection: Connection;
  /** Both sides have proven who they are. */
  live(): void;
  /** It is over, with the close code that either side gave; later calls have no effect. */
  ended(closeCode: number): void;
}

const defaultSteadyMs = 10_000;

/**
 * Keeps one connection to one peer: dials, and dials again when it is lost, with full-jitter back-off
 * behind a circuit breaker (`nextRetryState`). Dialers share nothing, so a peer that stalls or fails
 * costs the others nothing. Being offline is a state: nothing is dialed and nothing fails.
 *
 * Time, timers and randomness come from ports; a simulator drives what ships.
 */
export class PeerDialer {
  readonly counters: DialerCounters = newDialerCounters();
  readonly #options: PeerDialerOptions;
  #retry: RetryState = { name: "idle" };
  #phase: "idle" | "dialing" | "greeting" | "live" = "idle";
  #isStarted = false;
  #isStopped = false;
  #isOnline = true;
  #shown: DialerState = { name: "idle" };
  /** Ends the dial that is under way. */
  #giveUp: ((error: HeddleError) => void) | undefined;
  #cancelTimer: (() => void) | undefined;
  #cancelSteady: (() => void) | undefined;

  constructor(options: PeerDialerOptions) {
    this.#options = options;
  }

  get state(): DialerState {
    return this.#shown;
  }

  start(): void {
    assert(!this.#isStarted, "a dialer is started once");
    this.#isStarted = true;
    this.#proceed();
  }

  /** Final. A dial under way is aborted; a connection that was handed over is the host's to close. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelSteady?.();
    this.#abort("the dialer was stopped");
    this.#proceed();
  }

  /**
   * What the platform knows of the network. Offline, a dial under way is aborted; a connection stays
   * until it ends. Back online, the first attempt is made at once.
   */
  setOnline(isOnline: boolean): void {
    if (this.#isOnline === isOnline || this.#isStopped) return;
    this.#isOnline = isOnline;
    if (!isOnline) this.#abort("the network is gone");
    // What a peer refused for good it does not grant for a better network.
    else if (this.#retry.name !== "stopped") this.#retry = this.#next({ name: "reset" });
    this.#proceed();
  }

  /** Begins afresh, at once: somebody asked for it, or changed a setting that was refused. */
  retryNow(): void {
    if (this.#isStopped) return;
    this.#retry = this.#next({ name: "reset" });
    this.#proceed();
  }

  /** Does what the state asks for: an attempt now, or a timer for one; and tells the state. */
  #proceed(error?: HeddleError): void {
    this.#cancelWait();
    this.#show(error);
    // A listener may have called back in, and then that call has seen to the rest.
    const mayDial = this.#isStarted && this.#isOnline && !this.#isStopped;
    if (!mayDial || this.#phase !== "idle") return;
    const nowMs = this.#options.environment.clock.monotonicMs();
    if (mayAttempt(this.#retry, nowMs)) return this.#dial();
    if (!("dueMs" in this.#retry)) return;
    this.#cancelWait();
    this.#cancelTimer = this.#options.environment.scheduler.after(
      Math.max(0, this.#retry.dueMs - nowMs),
      () => this.#proceed(),
    );
  }

  #cancelWait(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #dial(): void {
    const { environment, transport, dialMsMax = transportLimits.dialMsMax + 1_000 } = this.#options;
    const controller = new AbortController();
    let isOver = false;
    this.#retry = this.#next({ name: "attempt" });
    this.#phase = "dialing";
    this.counters.dials++;
    const over = (): boolean => {
      if (isOver) return false;
      isOver = true;
      cancelDeadline();
      this.#giveUp = undefined;
      this.#phase = "idle";
      return true;
    };
    const cancelDeadline = environment.scheduler.after(dialMsMax, () => {
      const error = new HeddleError(HeddleErrorCode.sessionTimeout, `no answer in ${dialMsMax} ms`);
      if (!over()) return;
      this.counters.timeouts++;
      controller.abort(error);
      this.#failed(error);
    });
    this.#giveUp = (error) => {
      over();
      controller.abort(error);
    };
    this.#show();
    if (isOver) return;
    dialWith(transport, controller.signal).then(
      (connection) => {
        if (over()) return this.#opened(connection);
        // The transport did not hear that it was given up.
        this.counters.late++;
        return connection.close(HeddleErrorCode.sessionClosed, "no longer wanted");
      },
      (reason: unknown) => {
        if (over()) this.#failed(errorOf(reason));
      },
    );
  }

  #opened(connection: Connection): void {
    this.#phase = "greeting";
    this.counters.opened++;
    this.#show();
    this.#options.onConnected({
      connection,
      live: () => {
        if (this.#phase === "greeting") this.#live();
      },
      ended: once((closeCode: number) => this.#ended(closeCode)),
    });
  }

  #live(): void {
    const { environment, steadyMs = defaultSteadyMs } = this.#options;
    this.#phase = "live";
    this.counters.live++;
    if (!this.#isStopped) {
      this.#cancelSteady = environment.scheduler.after(steadyMs, () => {
        this.#retry = this.#next({ name: "succeeded" });
      });
    }
    this.#show();
  }

  #ended(closeCode: number): void {
    this.#cancelSteady?.();
    this.#phase = "idle";
    if (this.#isStopped) return;
    if (isPermanentBye(closeCode)) this.#refused(closeCode);
    else this.#missed();
  }

  #failed(error: HeddleError): void {
    // What a dial throws says by its code whether trying again makes sense.
    const closeCode = byeCodeOf(error.code);
    if (isPermanentBye(closeCode)) this.#refused(closeCode, error);
    else this.#missed(error);
  }

  #missed(error?: HeddleError): void {
    this.counters.failures++;
    this.#retry = this.#next({ name: "failed" });
    this.#proceed(error);
  }

  #refused(code: number, error?: HeddleError): void {
    this.counters.refusals++;
    this.#retry = this.#next({ name: "refused", code });
    this.#proceed(error);
  }

  #abort(why: string): void {
    if (this.#giveUp === undefined) return;
    this.counters.aborted++;
    this.#giveUp(new HeddleError(HeddleErrorCode.sessionClosed, why));
    // Nobody failed. Whoever goes on begins afresh.
    this.#retry = { name: "idle" };
  }

  #next(event: RetryEvent): RetryState {
    const { environment, retry } = this.#options;
    const { clock, random } = environment;
    const limits = { ...retryLimits, ...retry?.() };
    const context = { nowMs: clock.monotonicMs(), random, limits };
    return nextRetryState(this.#retry, event, context);
  }

  #show(error?: HeddleError): void {
    const previous = this.#shown;
    const state = this.#currentState();
    const isSame = state.name === previous.name;
    // Two waits in a row are two: each has a time of its own.
    if (isSame && !("dueMs" in state && "dueMs" in previous && state.dueMs !== previous.dueMs)) {
      return;
    }
    this.#shown = state;
    this.counters.entered[state.name]++;
    this.#options.onChange?.({ state, previous, ...(error && { error }) });
  }

  #currentState(): DialerState {
    const retry = this.#retry;
    if (this.#isStopped) return { name: "stopped" };
    if (this.#phase === "live") return { name: "live" };
    if (this.#phase === "greeting" || this.#phase === "dialing") {
      assert(retry.name === "trying", "an attempt is under way");
      return { ...retry, name: this.#phase };
    }
    if (retry.name === "stopped") return { name: "refused", code: retry.code };
    if (!this.#isOnline) return { name: "offline" };
    switch (retry.name) {
      case "idle":
      case "waiting":
        return retry;
      case "open":
        return { ...retry, name: "breaker-open" };
      case "trying":
      case "live":
        // Between an end and what follows from it nothing is shown.
        return this.#shown;
      default:
        return unreachable(retry);
    }
  }
}

/** A transport that throws before it has made a promise fails like any other. */
async function dialWith(transport: Transport, signal: AbortSignal): Promise<Connection> {
  return transport.dial(signal);
}

function errorOf(reason: unknown): HeddleError {
  if (isHeddleError(reason)) return reason;
  const options = { cause: reason };
  return new HeddleError(HeddleErrorCode.sessionClosed, "the transport failed", options);
}

/** Calls after the first have no effect. */
function once<Argument>(act: (argument: Argument) => void): (argument: Argument) => void {
  let isDone = false;
  return (argument) => {
    if (isDone) return;
    isDone = true;
    act(argument);
  };
}
