import { MemoryLogStore, parseDocumentName, type Logger, type MemoryDisk } from "@heddle/core";

import { ephemeralDeviceKey, nodeEnvironment } from "./node-environment.ts";
import type { ReplicaOptions } from "./replica-options.ts";
import { Replica } from "./replica.ts";

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export const environment = nodeEnvironment(silent);
export const signer = ephemeralDeviceKey();
export const notes = parseDocumentName("notes");

export interface OpenReplica {
  readonly store: MemoryLogStore;
  readonly replica: Replica;
}

export async function openReplica(
  disk: MemoryDisk,
  options: Partial<ReplicaOptions> = {},
): Promise<OpenReplica> {
  const store = await MemoryLogStore.open(disk, environment.random);
  const own = { store, environment, signer, engine: "test", idleMs: 10 };
  return { store, replica: await Replica.open({ ...own, ...options }) };
}

/** Everything that was submitted has been answered by the disk: memory needs a turn of the loop. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
