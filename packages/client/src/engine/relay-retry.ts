import { retryLimits, type RetryLimits } from "@heddle/sync";

/** However little an application wants to wait. */
const backoffMsMin = 100;
/** An open breaker stays so for half of its time up to one and a half times. */
const openSpread = 1.5;

/** Bounds of the back-off where no wait is to be longer than that; nothing where nobody says. */
export function retryWithin(backoffMsMax: number | undefined): Partial<RetryLimits> {
  if (backoffMsMax === undefined) return {};
  const delayMsMax = Math.max(backoffMsMin, backoffMsMax);
  const delayMsMin = Math.min(retryLimits.delayMsMin, delayMsMax);
  return { delayMsMin, delayMsMax, openMs: delayMsMax / openSpread };
}
