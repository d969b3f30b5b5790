import { HeddleError, HeddleErrorCode, type Scheduler } from "@heddle/core/base";

import type { AbortSignalLike } from "./transport.ts";

export interface DialAttemptOptions {
  readonly signal: AbortSignalLike;
  readonly scheduler: Scheduler;
  readonly dialMsMax: number;
  /** For messages: whom the dial is for. */
  readonly target: string;
}

/** The two ways in which a dial ends by itself. Only the first call counts. */
export interface DialOutcome<Value> {
  opened(value: Value): void;
  failed(error: HeddleError): void;
}

/**
 * One dial with a deadline, that can be aborted. `start` begins it and returns how to give it up; it is
 * given up in every case but success.
 *
 * @throws HeddleError what `start` reports, `HEDDLE_SESSION_TIMEOUT` at the deadline,
 * `HEDDLE_SESSION_CLOSED` when aborted.
 */
export function attemptDial<Value>(
  { signal, scheduler, dialMsMax, target }: DialAttemptOptions,
  start: (outcome: DialOutcome<Value>) => () => void,
): Promise<Value> {
  if (signal.aborted) return Promise.reject(aborted(target, signal));
  return new Promise<Value>((resolve, reject) => {
    let isSettled = false;
    let giveUp: (() => void) | undefined;
    const settle = (): boolean => {
      if (isSettled) return false;
      isSettled = true;
      cancelDeadline();
      signal.removeEventListener("abort", abort);
      return true;
    };
    const fail = (error: HeddleError) => {
      if (!settle()) return;
      giveUp?.();
      reject(error);
    };
    const abort = () => fail(aborted(target, signal));
    const cancelDeadline = scheduler.after(dialMsMax, () => {
      const message = `${target} did not answer within ${dialMsMax} ms`;
      fail(new HeddleError(HeddleErrorCode.sessionTimeout, message));
    });
    signal.addEventListener("abort", abort);
    let isOpened = false;
    giveUp = start({
      opened: (value) => {
        if (!settle()) return;
        isOpened = true;
        resolve(value);
      },
      failed: fail,
    });
    // It may have failed before it could say how to give it up.
    if (isSettled && !isOpened) giveUp();
  });
}

function aborted(target: string, { reason }: AbortSignalLike): HeddleError {
  const message = `the dial of ${target} was given up`;
  return new HeddleError(HeddleErrorCode.sessionClosed, message, { cause: reason });
}
