import { toHex } from "@heddle/core";
import { encodePath, MemoryProjectionDisk, MemoryProjectionStore } from "@heddle/reconcile";

import { describeProjectionStoreContract } from "./contract.ts";

describeProjectionStoreContract("MemoryProjectionStore", async ({ clock }) => {
  const disk = new MemoryProjectionDisk();
  return {
    open: () => MemoryProjectionStore.open(disk, clock),
    damage: async (path) => {
      disk.records.set(toHex(encodePath(path)), "damaged");
    },
    dispose: async () => undefined,
  };
});
