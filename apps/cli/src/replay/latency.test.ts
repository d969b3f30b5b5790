import { expect, test } from "vitest";

import { summariseLatency } from "./latency.ts";

test("percentiles are samples, by nearest rank", () => {
  const samples = Array.from({ length: 200 }, (_, at) => 200 - at);
  expect(summariseLatency(samples)).toEqual({
    samples: 200,
    p50: 100,
    p90: 180,
    p99: 198,
    max: 200,
  });
  expect(summariseLatency([7])).toEqual({ samples: 1, p50: 7, p90: 7, p99: 7, max: 7 });
  expect(summariseLatency([])).toBeUndefined();
});
