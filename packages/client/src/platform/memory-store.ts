import type { MemoryDisk } from "@heddle/core";

import { loadSides } from "../engine/load-sides.ts";
import type { ReplicaStore } from "./platform.ts";

/** Keeps documents for as long as the page or the process lives, and says so: `saved` is `memory`. */
export function memoryStore(): ReplicaStore {
  let disk: MemoryDisk | undefined;
  return {
    async open({ random }) {
      const { MemoryDisk, MemoryLogStore } = await loadSides();
      disk ??= new MemoryDisk();
      const store = await MemoryLogStore.open(disk, random);
      return Object.assign(store, { durability: "memory" } as const);
    },
  };
}
