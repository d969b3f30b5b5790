import { HeddleErrorCode } from "@heddle/core";
import { expect, test } from "vitest";

import { loadPart } from "./load-part.ts";

/** Runs at once what is to be done later, and notes when it was to be. */
function hurried() {
  const pausesMs: number[] = [];
  const after = (delayMs: number, task: () => void): (() => void) => {
    pausesMs.push(delayMs);
    task();
    return () => undefined;
  };
  return { pausesMs, after };
}

function failing(times: number) {
  let failures = 0;
  return async (): Promise<string> => {
    if (failures++ < times) throw new TypeError("Failed to fetch dynamically imported module");
    return "the part";
  };
}

test("[CLT-14] a part of the program that fails to load is asked for again, less and less often", async () => {
  const scheduler = hurried();
  expect(await loadPart(failing(4), scheduler)).toBe("the part");
  expect(scheduler.pausesMs).toEqual([500, 1_000, 2_000, 4_000]);
});

test("[CLT-14] one that cannot be had at all fails with a code", async () => {
  const code = HeddleErrorCode.storageClosed;
  await expect(loadPart(failing(5), hurried())).rejects.toMatchObject({ code });
});
