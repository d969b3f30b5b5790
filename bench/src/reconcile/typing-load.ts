import { monitorEventLoopDelay, performance } from "node:perf_hooks";

/** From the beginning of one round to that of the next, if it was over by then. */
const roundMs = 50;

/** What people noticed of whatever else the process did. */
export interface LoadFigures {
  readonly rounds: number;
  readonly roundMsMedian: number;
  readonly roundMsWorst: number;
  /** By which timers came late, in ms. */
  readonly delayMsMedian: number;
  readonly delayMsP99: number;
  readonly loopShare: number;
}

/**
 * Does `round` again and again while `work` runs, and says what it took: people who type, and the feed that
 * brings it into a projection.
 */
export async function underLoad(
  round: (number: number) => Promise<void>,
  work: () => Promise<void>,
): Promise<LoadFigures> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const loop = performance.eventLoopUtilization();
  const took: number[] = [];
  const ending = { isOver: false };
  const rounds = (async (): Promise<void> => {
    while (!ending.isOver) {
      const beganMs = performance.now();
      await round(took.length);
      took.push(performance.now() - beganMs);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, roundMs - took.at(-1)!)));
    }
  })();
  await work();
  ending.isOver = true;
  await rounds;
  delay.disable();
  const sorted = took.toSorted((a, b) => a - b);
  return {
    rounds: took.length,
    roundMsMedian: rounded(sorted[Math.floor(sorted.length / 2)] ?? 0),
    roundMsWorst: rounded(sorted.at(-1) ?? 0),
    delayMsMedian: rounded(delay.percentile(50) / 1e6),
    delayMsP99: rounded(delay.percentile(99) / 1e6),
    loopShare: Number(performance.eventLoopUtilization(loop).utilization.toFixed(3)),
  };
}

function rounded(ms: number): number {
  return Number(ms.toFixed(1));
}
