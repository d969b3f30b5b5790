import { expect, test } from "vitest";

import { ReceiveBudget, ReceiveMeter } from "./receive-meter.ts";
import { defaultRelayLimits } from "./relay-limits.ts";

const kiB = 1024;
const miB = 1024 * kiB;
const chunk = 64 * kiB;

function newMeter(limits = {}, budget = new ReceiveBudget(256 * miB)) {
  const all = { ...defaultRelayLimits, ...limits };
  return { budget, meter: new ReceiveMeter(all, budget, "limited", 0) };
}

/** Returns the first limit that so many bytes of one message break. */
function send(meter: ReceiveMeter, bytes: number): string | undefined {
  let broken: string | undefined;
  for (let sent = 0; sent < bytes; sent += chunk) broken ??= meter.onChunk(chunk, 0);
  return broken;
}

test("[RLY-13] whole messages leave nothing pending, whatever their size", () => {
  const { meter, budget } = newMeter();
  for (const [length, header] of [
    [0, 6],
    [125, 6],
    [126, 8],
    [40_000, 8],
  ] as const) {
    meter.onMessage(length, 0);
    meter.onChunk(length + header, 0);
    expect([length, meter.pendingBytes, budget.used]).toEqual([length, 0, 0]);
  }
  for (let sent = 0; sent < 1_000_014 - chunk; sent += chunk) meter.onChunk(chunk, 0);
  meter.onMessage(1_000_000, 0);
  meter.onChunk(1_000_014 % chunk, 0);
  expect([meter.pendingBytes, budget.used]).toEqual([0, 0]);
});

test("[RLY-13] what is incomplete counts, with the chunks that hold it, until it is complete or gone", () => {
  const { meter, budget } = newMeter();
  meter.onChunk(1_000, 0);
  meter.onChunk(1, 0);
  expect(meter.pendingBytes).toBe(1_001);
  expect(budget.used).toBe(1_001 + 2 * 256);
  meter.end();
  expect(budget.used).toBe(0);
});

test("[RLY-13] what is wrongly thought pending never grows beyond a chunk", () => {
  const { meter } = newMeter();
  for (let count = 0; count < 1_000; count++) {
    // Two fragments with a header each, of which only the sum of their lengths is told.
    meter.onMessage(100, 0);
    meter.onChunk(112, 0);
  }
  expect(meter.pendingBytes).toBeLessThanOrEqual(112);
});

test("[RLY-13] one connection, and all together, have so much room for what is incomplete", () => {
  const budget = new ReceiveBudget(3 * miB);
  const limits = { receiveBytesPerConnectionMax: 2 * miB };
  const [first, second] = [newMeter(limits, budget).meter, newMeter(limits, budget).meter];
  expect(send(first, 1.9 * miB)).toBeUndefined();
  expect(send(second, miB)).toBeUndefined();
  expect(send(first, 0.5 * miB)).toBe("receiveBytesPerConnectionMax");
  expect(send(second, 0.5 * miB)).toBe("receiveBytesMax");
});

test("[RLY-13] a byte at a time is not cheaper than a kilobyte at a time", () => {
  const { meter, budget } = newMeter();
  for (let count = 0; count < 10_000; count++) meter.onChunk(1, 0);
  expect(budget.used).toBeGreaterThan(2 * miB);
});

test("[RLY-13] a slow link has its time, a trickle has not", () => {
  const { meter } = newMeter({ stallMsMax: 30_000, bytesPerSecondMin: 32 * kiB });
  for (let sent = 0; sent < 10; sent++) meter.onChunk(chunk, sent * 1_000);
  expect([meter.isStalled(30_000), meter.isStalled(49_000), meter.isStalled(51_000)]).toEqual([
    false,
    false,
    true,
  ]);
  meter.excuse(51_000);
  expect(meter.isStalled(80_000)).toBe(false);
});

test("[RLY-13] the faster of bytes and messages decides how long reading pauses", () => {
  const rates = {
    bytesPerSecond: 1_000,
    bytesBurst: 1_000,
    messagesPerSecond: 10,
    messagesBurst: 10,
  };
  const { meter } = newMeter(rates);
  meter.onMessage(1_494, 0);
  meter.onChunk(1_500, 0);
  expect(meter.debtMs(0)).toBe(500);
  for (let count = 0; count < 39; count++) meter.onMessage(0, 0);
  expect(meter.debtMs(0)).toBe(3_000);
});
