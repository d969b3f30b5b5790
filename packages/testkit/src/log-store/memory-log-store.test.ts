import { MemoryDisk, MemoryLogStore } from "@heddle/core";

import { describeLogStoreContract } from "./contract.ts";

describeLogStoreContract("MemoryLogStore", async ({ random }) => {
  const disk = new MemoryDisk();
  return {
    open: () => MemoryLogStore.open(disk, random),
    dispose: async () => undefined,
  };
});
