import { encodePath, MemoryProjectionDisk, MemoryProjectionStore } from "@heddle/reconcile";
import { toHex } from "@heddle/core";
import { describeProjectionStoreContract } from "@heddle/testkit";
import { expect, test } from "vitest";

import { ServedProjectionStore, serveProjectionStore, type StoreChannel } from "./served-store.ts";

/** Two ends of a channel in one process; what is said is cloned, and heard in a later turn. */
function newChannel(): readonly [StoreChannel, StoreChannel] {
  const listeners = [new Set<(message: unknown) => void>(), new Set<(message: unknown) => void>()];
  const end = (own: number): StoreChannel => ({
    post(message) {
      const clone: unknown = structuredClone(message);
      queueMicrotask(() => listeners[1 - own]!.forEach((listener) => listener(clone)));
    },
    onMessage(listener) {
      listeners[own]!.add(listener);
      return () => listeners[own]!.delete(listener);
    },
  });
  return [end(0), end(1)];
}

describeProjectionStoreContract(
  "ServedProjectionStore",
  async ({ clock }) => {
    const disk = new MemoryProjectionDisk();
    return {
      async open() {
        const owned = await MemoryProjectionStore.open(disk, clock);
        const [here, there] = newChannel();
        const stopServing = serveProjectionStore(owned, there);
        const served = new ServedProjectionStore(here);
        const close = served.close.bind(served);
        // The owner lets go of the store with its only guest.
        served.close = async () => {
          await close();
          stopServing();
          await owned.close();
        };
        return served;
      },
      damage: async (path) => {
        disk.records.set(toHex(encodePath(path)), "damaged");
      },
      dispose: async () => undefined,
    };
  },
  { isServed: true },
);

test("only what a store is for can be asked of it, and a closed channel says so", async () => {
  const disk = new MemoryProjectionDisk();
  const owned = await MemoryProjectionStore.open(disk, { nowMs: () => 0, monotonicMs: () => 0 });
  const [here, there] = newChannel();
  serveProjectionStore(owned, there);
  const answers: unknown[] = [];
  here.onMessage((message) => answers.push(message));
  const of = "heddle/projections/1";
  here.post({ of, id: 1, method: "close", args: [] });
  here.post({ of, id: 2, method: "get", args: "nothing" });
  here.post({ id: 3, method: "get", args: [[]] });
  here.post({ of, id: 4, method: "get", args: [[["live", "likes"]]] });
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  expect(answers).toEqual([{ answerOf: of, id: 4, value: [undefined] }]);
  const served = new ServedProjectionStore(here);
  const asked = served.readAudit(0, 1);
  await served.close();
  await expect(asked).rejects.toMatchObject({ code: "HEDDLE_STORAGE_CLOSED" });
  await expect(served.get([])).rejects.toMatchObject({ code: "HEDDLE_STORAGE_CLOSED" });
});
