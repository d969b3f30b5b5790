/** Buckets per doubling: neighbours are 1.6 % apart, finer than any run repeats itself. */
const bucketsPerDoubling = 64;
const doublings = 24;
const exactBelow = bucketsPerDoubling * 2;

/** Counts latencies in microseconds at constant cost, from 1 µs to over 16 s. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(exactBelow + doublings * bucketsPerDoubling);
  #total = 0;

  record(milliseconds: number): void {
    const microseconds = Math.max(0, Math.round(milliseconds * 1_000));
    const bucket = Math.min(bucketOf(microseconds), this.#counts.length - 1);
    this.#counts[bucket] = this.#counts[bucket]! + 1;
    this.#total += 1;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** The latency that `share` of all records stay at or below, in milliseconds; NaN without records. */
  percentile(share: number): number {
    let left = Math.ceil(this.#total * share);
    if (left === 0) return Number.NaN;
    for (let bucket = 0; bucket < this.#counts.length; bucket += 1) {
      left -= this.#counts[bucket]!;
      if (left <= 0) return lowerBoundOf(bucket) / 1_000;
    }
    return Number.NaN;
  }
}

function bucketOf(microseconds: number): number {
  if (microseconds < exactBelow) return microseconds;
  const doubling = 31 - Math.clz32(Math.min(microseconds, 2 ** 31 - 1)) - 6;
  return doubling * bucketsPerDoubling + (microseconds >>> doubling);
}

function lowerBoundOf(bucket: number): number {
  if (bucket < exactBelow) return bucket;
  const doubling = Math.floor(bucket / bucketsPerDoubling) - 1;
  return (bucket - doubling * bucketsPerDoubling) * 2 ** doubling;
}
