import { expect, test } from "vitest";

import { LoadGauge } from "./load-gauge.ts";
import { defaultRelayLimits } from "./relay-limits.ts";

const limits = { ...defaultRelayLimits, memoryBytesMax: 1_000, eventLoopLagMsMax: 400 };

const calm = { memoryBytes: 0, heapShare: 0, lagMs: 0 };

test("[RLY-11] the door closes above the ceiling and opens clearly below it", () => {
  const gauge = new LoadGauge(limits);
  const seen = [900, 1_000, 1_001, 950, 901, 900, 1_000].map((memoryBytes) => {
    gauge.sample({ ...calm, memoryBytes });
    return gauge.exceeded;
  });
  const over = "memoryBytesMax";
  expect(seen).toEqual([undefined, undefined, over, over, over, undefined, undefined]);
});

test("[RLY-11] one late turn closes nothing, a loop that stays late does", () => {
  const gauge = new LoadGauge(limits);
  const seen = [700, 0, 500, 500, 500, 0, 0].map((lagMs) => {
    gauge.sample({ ...calm, lagMs });
    return gauge.exceeded;
  });
  const over = "eventLoopLagMsMax";
  expect(seen).toEqual([undefined, undefined, undefined, over, over, undefined, undefined]);
});

test("[RLY-11] without a number the machine's memory is the measure", () => {
  const gauge = new LoadGauge({ ...limits, memoryBytesMax: 0 });
  gauge.sample({ ...calm, memoryBytes: 1 });
  expect(gauge.exceeded).toBeUndefined();
  gauge.sample({ ...calm, memoryBytes: Number.MAX_SAFE_INTEGER });
  expect(gauge.exceeded).toBe("memoryBytesMax");
});

test("[RLY-11] a heap that is nearly full closes the door, whatever the machine has", () => {
  const gauge = new LoadGauge(limits);
  const seen = [0.8, 0.86, 0.8, 0.76].map((heapShare) => {
    gauge.sample({ ...calm, heapShare });
    return gauge.exceeded;
  });
  expect(seen).toEqual([undefined, "heapPercentMax", "heapPercentMax", undefined]);
});
