import { documentId } from "@heddle/core";
import { expect, test } from "vitest";

import { DocumentAccess } from "./document-access.ts";
import { StateCache } from "./state-cache.ts";

const [a, b, c] = [1, 2, 3].map((byte) => documentId(new Uint8Array(16).fill(byte)));

test("[CKP-10] keeps the states that were used last, within its bytes", () => {
  const cache = new StateCache(100);
  cache.set(a!, 1, new Uint8Array(40));
  cache.set(b!, 1, new Uint8Array(41));
  expect(cache.get(a!, 1)).toHaveLength(40);
  expect(cache.get(a!, 2)).toBeUndefined();
  cache.set(c!, 5, new Uint8Array(42));
  expect(cache.get(b!, 1)).toBeUndefined();
  expect(cache.bytes).toBe(82);
  cache.set(a!, 2, new Uint8Array(10));
  expect(cache.get(a!, 1)).toBeUndefined();
  expect(cache.bytes).toBe(52);
  cache.set(b!, 1, new Uint8Array(101));
  expect(cache.bytes).toBe(52);
  cache.delete(c!);
  cache.delete(c!);
  expect(cache.bytes).toBe(10);
});

test("[CKP-5] pruning waits for readers, readers wait for pruning, other documents for nobody", async () => {
  const access = new DocumentAccess();
  const order: string[] = [];
  let endReading: (() => void) | undefined;
  const reading = access.reading(a!, async () => {
    order.push("reads");
    await new Promise<void>((resolve) => {
      endReading = resolve;
    });
    order.push("has read");
  });
  const pruning = access.pruning(a!, async () => {
    order.push("prunes");
    await new Promise((resolve) => setImmediate(resolve));
    order.push("has pruned");
  });
  const second = access.pruning(a!, async () => void order.push("prunes again"));
  const late = access.reading(a!, async () => void order.push("reads late"));
  await access.pruning(b!, async () => void order.push("elsewhere"));
  endReading?.();
  await Promise.all([reading, pruning, second, late]);
  expect(order.slice(0, 5)).toEqual(["reads", "elsewhere", "has read", "prunes", "has pruned"]);
  expect(order.slice(5).toSorted()).toEqual(["prunes again", "reads late"]);
});
