import { retryLimits } from "@heddle/sync";

interface StateLine {
  readonly atMs: number;
  readonly state: string;
}

/** A wait before one attempt: how long it was, and how long it could have been. */
export interface DialWait {
  readonly failures: number;
  readonly waitedMs: number;
  readonly boundMs: number;
}

/** What a relay's log says of its peers, as people read it: `peer.state` of the one that it dials. */
export class PeerRecord {
  /** Sessions with peers that dialed this relay and are over. */
  ended = 0;
  readonly #lines: StateLine[] = [];

  /** Lines of other events, and of no event, are passed over. */
  readonly take = (line: string): void => {
    if (!line.startsWith("{")) return;
    const { event, time, state } = JSON.parse(line) as Record<string, string>;
    if (event === "peer.ended") this.ended++;
    if (event === "peer.state") this.#lines.push({ atMs: Date.parse(time!), state: state! });
  };

  get state(): string | undefined {
    return this.#lines.at(-1)?.state;
  }

  /** How often a state was entered. */
  count(state: string): number {
    return this.#lines.filter((line) => line.state === state).length;
  }

  /** Waits that ended with an attempt, each with the failures that led to it. */
  get waits(): readonly DialWait[] {
    const waits: DialWait[] = [];
    let failures = 0;
    let liveMs: number | undefined;
    for (const [index, { atMs, state }] of this.#lines.entries()) {
      if (state === "live") liveMs = atMs;
      if (state !== "waiting") continue;
      if (liveMs !== undefined && atMs - liveMs >= steadyMs) failures = 0;
      liveMs = undefined;
      failures++;
      const next = this.#lines[index + 1];
      if (next?.state !== "dialing") continue;
      const boundMs = Math.min(retryLimits.delayMsMax, retryLimits.delayMsMin * 2 ** failures);
      waits.push({ failures, waitedMs: next.atMs - atMs, boundMs });
    }
    return waits;
  }
}

/** A session that lasted so long is a success to the dialer, which needs a little less. */
const steadyMs = 12_000;
