import type { Clock } from "@heddle/core";

import { feedPath, type GenerationId } from "../projection-layout.ts";
import { decodeCursor } from "../projection-records.ts";
import type { ProjectionSource } from "../projection-source.ts";
import type { ProjectionStore } from "../projection-store.ts";
import type { JobPace } from "./job-pace.ts";
import type { StopSignal } from "./stop-signal.ts";
import { readOr } from "./read-or.ts";

/**
 * Where a projection stands beside its source:
 *
 * - passed: everything that had arrived when it was asked is in the projection.
 * - behind: some of it is still on its way; what differs may only be late.
 * - ahead: the projection knows of more than this source. The source is a copy that lags, or was put back
 *   to an older state: correcting from it would put older state over newer.
 */
export type FeedStanding = "passed" | "behind" | "ahead";

export interface StandingParts {
  readonly store: ProjectionStore;
  readonly source: Pick<ProjectionSource, "storeId" | "describeFeed">;
  readonly generation: GenerationId;
}

/** @param target what has to be in the projection; without it all that the source has now. */
export async function feedStanding(
  { store, source, generation }: StandingParts,
  target?: number,
): Promise<FeedStanding> {
  const { incarnations, lastArrival } = await source.describeFeed();
  const [bytes] = await store.get([feedPath(generation)]);
  const cursor = readOr(bytes, decodeCursor);
  if (cursor === undefined || cursor.comparedUpTo !== undefined) return "behind";
  if (cursor.store !== source.storeId || !incarnations.includes(cursor.incarnation)) return "ahead";
  if (cursor.arrival > lastArrival) {
    // The feed may have gone on since the source was asked, and then the source has, too.
    const now = await source.describeFeed();
    if (cursor.arrival > now.lastArrival) return "ahead";
  }
  return cursor.arrival >= (target ?? lastArrival) ? "passed" : "behind";
}

/** Looked at again after so long, while the feed comes up. */
const pollMs = 20;

/** As {@link feedStanding}, once the feed has passed or `waitMs` are over. What is read before counts. */
export async function standingAfter(
  parts: StandingParts,
  { pace, clock, waitMs, signal }: StandingWait,
): Promise<FeedStanding> {
  const { lastArrival } = await parts.source.describeFeed();
  const untilMs = clock.monotonicMs() + waitMs;
  for (;;) {
    const standing = await feedStanding(parts, lastArrival);
    if (standing !== "behind" || clock.monotonicMs() >= untilMs) return standing;
    await pace.wait(pollMs, signal);
  }
}

export interface StandingWait {
  readonly pace: JobPace;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly waitMs: number;
  readonly signal?: StopSignal | undefined;
}
