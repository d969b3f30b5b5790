export interface LatencySummary {
  readonly samples: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Nearest-rank percentiles in milliseconds; `undefined` without a sample. */
export function summariseLatency(samplesMs: readonly number[]): LatencySummary | undefined {
  if (samplesMs.length === 0) return undefined;
  const sorted = Float64Array.from(samplesMs).toSorted();
  const rank = (share: number) => rounded(sorted[Math.ceil(share * sorted.length) - 1]!);
  return {
    samples: sorted.length,
    p50: rank(0.5),
    p90: rank(0.9),
    p99: rank(0.99),
    max: rank(1),
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
