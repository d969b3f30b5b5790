import { monitorEventLoopDelay, type IntervalHistogram } from "node:perf_hooks";

/** How often the loop is looked at; a lag much shorter than this is not seen. */
const resolutionMs = 10;

export interface LagReading {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How late this process comes to its work. Everything in it waits so long, whatever document. */
export class EventLoopLag implements Disposable {
  readonly #histogram: IntervalHistogram = monitorEventLoopDelay({ resolution: resolutionMs });

  constructor() {
    this.#histogram.enable();
  }

  /** Seconds, since the last call. */
  take(): LagReading {
    const histogram = this.#histogram;
    const reading = {
      p50: lagSeconds(histogram.percentile(50)),
      p99: lagSeconds(histogram.percentile(99)),
      max: lagSeconds(histogram.max),
    };
    histogram.reset();
    return reading;
  }

  [Symbol.dispose](): void {
    this.#histogram.disable();
  }
}

/** Node reports the time from one look to the next, so that a loop with no lag at all says 10 ms. */
function lagSeconds(intervalNs: number): number {
  return Math.max(0, intervalNs / 1e9 - resolutionMs / 1e3);
}
