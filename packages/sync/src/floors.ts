import type { LaneId, VersionVector } from "@heddle/core";

/**
 * Whether a checkpoint with this vector holds all that was dropped from the log here (I6). One that does
 * not may never become the current checkpoint: what lies between would be nowhere.
 */
export function reachesFloors(vector: VersionVector, floors: ReadonlyMap<LaneId, number>): boolean {
  return [...floors].every(([lane, floor]) => (vector.get(lane)?.seq ?? 0) >= floor);
}
