import type { ClockRanges } from "./clock-ranges.ts";

/** What admission asks of what is known. */
export interface KnownClocks {
  /** All structs of `client` below this clock are known; 0 for a client never seen. */
  clockOf(client: number): number;
  readonly deletes: { rangesOf(client: number): ClockRanges | undefined };
}
