import type { Duplex } from "node:stream";

import { expect, test } from "vitest";

import { SendProgress } from "./send-progress.ts";

/** A socket as the kernel and the stream see it. */
function fakeSocket() {
  const kernel = { writeQueueSize: 0 };
  const state = { bytesWritten: 0, writableLength: 0, _handle: kernel };
  return { state, kernel, progress: new SendProgress(state as unknown as Duplex, 0) };
}

test("[RLY-15] nothing to send is no standstill", () => {
  const { progress } = fakeSocket();
  expect([progress.stalledMs(0), progress.stalledMs(90_000)]).toEqual([0, 0]);
});

test("[RLY-15] a large frame on a slow link gets on, although the stream says nothing", () => {
  const { state, kernel, progress } = fakeSocket();
  Object.assign(state, { bytesWritten: 12_000, writableLength: 12_000 });
  for (let second = 1; second <= 10; second++) {
    kernel.writeQueueSize = 12_000 - second * 1_000;
    expect(progress.stalledMs(second * 1_000)).toBe(second === 1 ? 1_000 : 0);
  }
});

test("[RLY-15] a standstill is one, also when more and more waits behind it", () => {
  const { state, kernel, progress } = fakeSocket();
  kernel.writeQueueSize = 500;
  for (let second = 1; second <= 40; second++) {
    Object.assign(state, { bytesWritten: second * 700, writableLength: second * 700 });
    progress.stalledMs(second * 1_000);
  }
  expect(progress.stalledMs(41_000)).toBe(41_000);
});

test("[RLY-15] small writes that leave are progress, although others take their place", () => {
  const { state, kernel, progress } = fakeSocket();
  for (let second = 1; second <= 40; second++) {
    kernel.writeQueueSize = 100;
    Object.assign(state, { bytesWritten: second * 700 + 100, writableLength: 100 });
    progress.stalledMs(second * 1_000);
  }
  expect(progress.stalledMs(40_500)).toBe(500);
});
