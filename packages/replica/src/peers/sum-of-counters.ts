import type { SyncCounters } from "@heddle/sync";

/** Of two machines that came one after the other. */
export function sumOfCounters(a: SyncCounters, b: SyncCounters): SyncCounters {
  const sum = { ...a };
  for (const name of Object.keys(sum) as (keyof SyncCounters)[]) sum[name] += b[name];
  return sum;
}
