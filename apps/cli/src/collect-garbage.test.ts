import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";

import { collectGarbage, processReader } from "./collect-garbage.ts";

describe("collectGarbage", () => {
  it("collects what nobody can reach, and leaves no collector behind", async () => {
    const gone = new WeakRef(new Uint8Array(1024));
    // A WeakRef holds on to its target until the turn is over.
    await turn();
    collectGarbage();
    expect(gone.deref()).toBeUndefined();
    expect("gc" in globalThis).toBe(false);
  });
});

describe("processReader", () => {
  it("reads what is held inside the heap and outside of it, and how busy the loop was", async () => {
    const read = processReader();
    const before = read().heldBytes;
    const kept = new Uint8Array(64 * 1024 * 1024).fill(1);
    const until = performance.now() + 50;
    while (performance.now() < until);
    await turn();
    const { heldBytes, busy } = read();
    expect(heldBytes - before).toBeGreaterThan(kept.length * 0.9);
    expect(busy).toBeGreaterThan(0);
    expect(busy).toBeLessThanOrEqual(1);
  });
});
