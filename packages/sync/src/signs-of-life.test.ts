import type { Scheduler } from "@heddle/core";
import { expect, test } from "vitest";

import { SignsOfLife } from "./signs-of-life.ts";

/** One timer, which runs when a test says so, however late. */
function watched() {
  let due: (() => void) | undefined;
  const delays: number[] = [];
  const scheduler: Scheduler = {
    after(delayMs, task) {
      delays.push(delayMs);
      due = task;
      return () => {
        due = undefined;
      };
    },
  };
  const events: string[] = [];
  const life = new SignsOfLife({
    scheduler,
    silenceMs: 300,
    ask: () => events.push("asked"),
    onSilence: () => events.push("silent"),
  });
  const run = () => {
    const task = due;
    due = undefined;
    task?.();
  };
  return { life, events, delays, run, isWaiting: () => due !== undefined };
}

test("[TRN-6] three questions without an answer are silence, and the last that is said", () => {
  const { events, delays, run, isWaiting } = watched();
  for (let look = 0; look < 4; look++) run();
  expect(events).toEqual(["asked", "asked", "asked", "silent"]);
  expect([delays, isWaiting()]).toEqual([[100, 100, 100, 100], false]);
});

test("[TRN-6] any sign begins the count again: a timer that comes late asks before it gives up", () => {
  const { life, events, run } = watched();
  run();
  run();
  life.heard();
  for (let look = 0; look < 3; look++) run();
  expect(events).toEqual(["asked", "asked", "asked", "asked", "asked"]);
  run();
  expect(events.at(-1)).toBe("silent");
});

test("[TRN-4] what was stopped asks nothing", () => {
  const { life, events, run, isWaiting } = watched();
  life.stop();
  run();
  expect([events, isWaiting()]).toEqual([[], false]);
});
