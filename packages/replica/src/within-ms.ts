import type { Scheduler } from "@heddle/core";

/** What `promise` resolves with, or `undefined` when it has not after `ms`. */
export function withinMs<Value>(
  scheduler: Scheduler,
  promise: Promise<Value>,
  ms: number,
): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = scheduler.after(ms, () => resolve(undefined));
    promise.finally(cancel).then(resolve, reject);
  });
}
