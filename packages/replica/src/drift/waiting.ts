import type { Scheduler } from "@heddle/core";

/** Waits that all end when somebody stops. */
export class Waiting {
  readonly #scheduler: Scheduler;
  readonly #ends = new Set<() => void>();
  #isStopped = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Resolves after `ms`, or at the stop. */
  sleep(ms: number): Promise<void> {
    return this.answered<void>(ms).promise;
  }

  /** Resolves with what `answer` is called with, or with nothing after `ms` and at the stop. */
  answered<Value>(ms: number): {
    readonly promise: Promise<Value | undefined>;
    readonly answer: (value: Value) => void;
  } {
    const { promise, resolve: settle } = withResolvers<Value | undefined>();
    if (this.#isStopped) {
      settle(undefined);
      return { promise, answer: () => undefined };
    }
    let cancel: (() => void) | undefined;
    const end = (value?: Value): void => {
      this.#ends.delete(stop);
      cancel?.();
      settle(value);
    };
    const stop = (): void => end();
    this.#ends.add(stop);
    cancel = this.#scheduler.after(ms, stop);
    return { promise, answer: end };
  }

  stop(): void {
    this.#isStopped = true;
    for (const end of Array.from(this.#ends)) end();
  }
}

function withResolvers<Value>(): {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
} {
  let resolve: ((value: Value) => void) | undefined;
  const promise = new Promise<Value>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: resolve! };
}
