import { MemoryDisk, MemoryLogStore } from "@heddle/core";

import type { ReplicaStore } from "./platform.ts";

/** Keeps documents for as long as the page or the process lives, and says so: `saved` is `memory`. */
export function memoryStore(): ReplicaStore {
  const disk = new MemoryDisk();
  return {
    async open({ random }) {
      const store = await MemoryLogStore.open(disk, random);
      return Object.assign(store, { durability: "memory" } as const);
    },
  };
}
