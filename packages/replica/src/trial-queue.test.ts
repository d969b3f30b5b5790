import type { DocumentId } from "@heddle/core";
import { expect, test } from "vitest";

import type { UpdateSource } from "./pending-updates.ts";
import { TrialQueue, type QueuedTrial } from "./trial-queue.ts";

const MiB = 2 ** 20;

/** Trials that end when the test says so, and the order in which they were begun. */
function openQueue(bytesMax = 100 * MiB) {
  let nowMs = 0;
  const queue = new TrialQueue(bytesMax, () => nowMs);
  const begun: string[] = [];
  const ends = new Map<string, (outcome: "done" | "again") => void>();
  let documents = 0;
  const trialOf = (
    name: string,
    source: UpdateSource,
    options: Partial<{ bytes: number; isLarge: boolean; base: number; document: string }> = {},
  ): QueuedTrial => ({
    document: (options.document ?? `document-${documents++}`) as DocumentId,
    source,
    bytes: options.bytes ?? 1_000,
    isLarge: () => options.isLarge ?? false,
    baseBytes: () => options.base ?? 0,
    run: () => {
      begun.push(name);
      return new Promise((resolve) => ends.set(name, resolve));
    },
  });
  const end = async (
    name: string,
    tookMs: number,
    outcome: "done" | "again" = "done",
  ): Promise<void> => {
    nowMs += tookMs;
    ends.get(name)!(outcome);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { queue, begun, trialOf, end };
}

test("[DOC-12] a small case does not wait for a large one, however many large ones wait", async () => {
  const { queue, begun, trialOf, end } = openQueue();
  for (const index of [1, 2, 3]) {
    queue.add(trialOf(`large-${index}`, { address: `10.0.0.${index}` }, { isLarge: true }));
  }
  queue.add(trialOf("small-1", { address: "10.0.0.8" }));
  queue.add(trialOf("small-2", { address: "10.0.0.9" }));
  expect(begun).toEqual(["large-1", "small-1"]);
  await end("small-1", 5);
  expect(begun).toEqual(["large-1", "small-1", "small-2"]);
});

test("[DOC-12] one address with many cases stands before nobody for longer than one of them", async () => {
  const { queue, begun, trialOf, end } = openQueue();
  const stranger = { address: "10.0.0.1" };
  for (let index = 0; index < 20; index++) queue.add(trialOf(`stranger-${index}`, stranger));
  // Two run: nothing large waits, so the other slot helps.
  expect(begun).toEqual(["stranger-0", "stranger-1"]);
  queue.add(trialOf("ada", { address: "10.0.0.2" }));
  queue.add(trialOf("bo", { address: "10.0.0.3" }));
  await end("stranger-0", 500);
  await end("stranger-1", 500);
  expect(begun.slice(2)).toEqual(["ada", "bo"]);
  // They were quick, so they are before the stranger again.
  await end("ada", 5);
  queue.add(trialOf("ada again", { address: "10.0.0.2" }));
  await end("bo", 5);
  expect(begun.slice(4)).toEqual(["stranger-2", "ada again"]);
});

test("[DOC-12] what waits and runs is held within one budget, of which an address gets a half", async () => {
  const { queue, trialOf, end } = openQueue();
  const large = { bytes: 15 * MiB, isLarge: true };
  const ofStranger = [1, 2, 3, 4].map((n) => queue.add(trialOf(`s${n}`, { address: "1" }, large)));
  expect(ofStranger).toEqual([true, true, true, false]);
  const ofOthers = [2, 3, 4].map((n) => queue.add(trialOf(`o${n}`, { address: `${n}` }, large)));
  expect(ofOthers).toEqual([true, true, false]);
  // What is left is for small ones: large ones may not have all of it.
  expect(queue.add(trialOf("small", { address: "5" }, { bytes: 10 * MiB }))).toBe(true);
  expect(queue.bytes).toBeLessThanOrEqual(100 * MiB);
  await end("s1", 1);
  expect(queue.add(trialOf("s5", { address: "1" }, large))).toBe(true);
});

test("[DOC-12] a base counts while its trial runs, and one that is too large for now waits", async () => {
  const { queue, begun, trialOf, end } = openQueue();
  queue.add(trialOf("first", { address: "1" }, { isLarge: true, base: 80 * MiB }));
  queue.add(trialOf("second", { address: "2" }, { base: 40 * MiB }));
  queue.add(trialOf("third", { address: "3" }));
  expect(begun).toEqual(["first", "third"]);
  expect(queue.bytes).toBeGreaterThan(80 * MiB);
  await end("third", 1);
  await end("first", 1);
  expect(begun).toEqual(["first", "third", "second"]);
  await end("second", 1);
  expect(queue.bytes).toBe(0);
});

test("[DOC-12] what waits is let go when nobody waits for it, and its room is free", async () => {
  const { queue, begun, trialOf, end } = openQueue();
  const gone: UpdateSource = {};
  const running = trialOf("running", gone, { isLarge: true, bytes: 15 * MiB });
  const waiting = trialOf("waiting", gone, { isLarge: true, bytes: 15 * MiB });
  queue.add(running);
  queue.add(waiting);
  expect(queue.withdraw(({ source }) => source === gone)).toBe(1);
  expect(queue.bytes).toBeLessThan(16 * MiB);
  await end("running", 1);
  expect(begun).toEqual(["running"]);
  expect(queue.bytes).toBe(0);
});

test("[DOC-7] of one document a single case is tried at a time", async () => {
  const { queue, begun, trialOf, end } = openQueue();
  for (const name of ["one", "two"]) queue.add(trialOf(name, {}, { document: "same" }));
  queue.add(trialOf("elsewhere", {}));
  expect(begun).toEqual(["one", "elsewhere"]);
  await end("one", 1);
  expect(begun).toEqual(["one", "elsewhere", "two"]);
});

test("[DOC-7] a case that is to be tried again waits its turn", async () => {
  const { queue, begun, trialOf, end } = openQueue();
  const suspect = trialOf("suspect", { address: "1" }, { document: "same" });
  queue.add(suspect);
  queue.add(trialOf("other", { address: "2" }, { document: "same" }));
  await end("suspect", 100, "again");
  expect(begun).toEqual(["suspect", "other"]);
  await end("other", 1);
  expect(begun).toEqual(["suspect", "other", "suspect"]);
  await end("suspect", 1);
  expect(queue.bytes).toBe(0);
});
