import type { AbortSignalLike } from "@heddle/sync";

/** How long to wait. Without a signal there is no deadline. */
export interface WaitOptions {
  /** Ends the wait, and nothing else, with its own reason: `AbortSignal.timeout(ms)` is a deadline. */
  readonly signal?: AbortSignalLike | undefined;
}

/**
 * A promise that `begin` settles. What `begin` returns takes its interest back when the signal aborts,
 * and the promise rejects with the signal's reason, as the platform's own do.
 */
export function waitUntil(
  begin: (resolve: () => void, reject: (error: unknown) => void) => () => void,
  { signal }: WaitOptions = {},
): Promise<void> {
  if (signal === undefined) return new Promise((resolve, reject) => void begin(resolve, reject));
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    let forget: (() => void) | undefined;
    const onAbort = (): void => {
      signal.removeEventListener("abort", onAbort);
      forget?.();
      reject(signal.reason as Error);
    };
    signal.addEventListener("abort", onAbort);
    forget = begin(
      () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      },
      (error) => {
        signal.removeEventListener("abort", onAbort);
        reject(error as Error);
      },
    );
  });
}

/** As {@link waitUntil}, for what another promise says. */
export function waitFor(promise: Promise<void>, options?: WaitOptions): Promise<void> {
  return waitUntil((resolve, reject) => {
    promise.then(resolve, reject);
    return () => {};
  }, options);
}
