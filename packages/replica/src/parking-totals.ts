import type { ParkingTotals } from "./document-host.ts";
import type { ReplicaDocument } from "./replica-document.ts";

/** What is parked in all of `documents`. */
export function parkingTotals(documents: Iterable<ReplicaDocument>): ParkingTotals {
  const totals = { count: 0, bytes: 0, oldestAtMs: undefined as number | undefined };
  for (const { parking } of documents) {
    if (parking.count === 0) continue;
    const { count, bytes, oldestAtMs = Infinity } = parking;
    totals.count += count;
    totals.bytes += bytes;
    totals.oldestAtMs = Math.min(totals.oldestAtMs ?? Infinity, oldestAtMs);
  }
  return totals;
}
