import { toHex, type Environment } from "@heddle/core";
import type { Delivery, Sink, SourceChange, StopSignal } from "@heddle/reconcile";
import {
  mayAttempt,
  nextRetryState,
  retryLimits,
  type RetryLimits,
  type RetryState,
} from "@heddle/sync";

/** What came of one attempt; `stopped` when nobody waits for it any more, so that nobody knows. */
export type Attempt = Delivery | { readonly outcome: "stopped" };

/** One attempt to hand a change to the outside, which has `answerMsMax` to answer. Never rejects. */
export function attemptDelivery(
  sink: Sink,
  change: SourceChange,
  { scheduler }: Pick<Environment, "scheduler">,
  signal: StopSignal,
): Promise<Attempt> {
  if (signal.aborted) return Promise.resolve({ outcome: "stopped" });
  const given = new AbortController();
  return new Promise((resolve) => {
    const end = (attempt: Attempt): void => {
      cancelTimer();
      signal.removeEventListener("abort", stop);
      given.abort(new Error("nobody waits for this answer any more"));
      resolve(attempt);
    };
    const fail = (reason: string): void => end({ outcome: "failed", reason });
    const stop = (): void => end({ outcome: "stopped" });
    const { answerMsMax } = sink;
    const cancelTimer = scheduler.after(answerMsMax, () => fail(`no answer in ${answerMsMax} ms`));
    signal.addEventListener("abort", stop);
    Promise.resolve()
      .then(() => sink.deliver(change, toHex(change.id), given.signal))
      .then(
        (delivery) => (isDelivery(delivery) ? end(delivery) : fail("its answer is no delivery")),
        (error: unknown) => fail(String(error)),
      );
  });
}

/** It is the code of whoever defined the sink that says so. */
function isDelivery(value: unknown): value is Delivery {
  const { outcome, reason } = (value ?? {}) as { outcome?: unknown; reason?: unknown };
  if (outcome === "delivered") return true;
  return (outcome === "failed" || outcome === "refused") && typeof reason === "string";
}

/** Back-off and breaker of one sink: an outside that is away for one change is away for all. */
export class SinkBreaker {
  readonly #environment: Pick<Environment, "clock" | "random">;
  readonly #limits: RetryLimits;
  #state: RetryState = { name: "idle" };

  constructor(sink: Sink, environment: Pick<Environment, "clock" | "random">) {
    this.#environment = environment;
    this.#limits = { ...retryLimits, ...sink.retry };
  }

  get state(): RetryState["name"] {
    return this.#state.name;
  }

  /** Before this moment of the monotonic clock nothing is tried; `undefined` when something may be now. */
  get dueMs(): number | undefined {
    if (!("dueMs" in this.#state)) return undefined;
    const isDue = mayAttempt(this.#state, this.#environment.clock.monotonicMs());
    return isDue ? undefined : this.#state.dueMs;
  }

  note(name: "attempt" | "succeeded" | "failed"): void {
    const { clock, random } = this.#environment;
    const context = { nowMs: clock.monotonicMs(), random, limits: this.#limits };
    this.#state = nextRetryState(this.#state, { name }, context);
  }
}
