import path from "node:path";

import type { Environment, Logger, LogStore } from "@heddle/core";

import { LiveReplica } from "./live/live-replica.ts";
import { ephemeralDeviceKey, nodeEnvironment, openDeviceKey } from "./node-environment.ts";
import type { ReplicaOptions } from "./replica-options.ts";
import { Replica } from "./replica.ts";

/** Opens a store, as `levelStore(folder)` of `@heddle/storage-level` makes one. */
export interface StoreOpener {
  /** Where the store is kept; the device key is kept beside it. */
  readonly directory?: string | undefined;
  open(environment: Environment): Promise<LogStore>;
}

export interface OpenReplicaOptions extends Partial<
  Omit<ReplicaOptions, "store" | "environment" | "telemetry">
> {
  /** One that is opened here is closed with the replica; one that is handed in open is not. */
  readonly store: StoreOpener | LogStore;
  /** Default: silent. */
  readonly logger?: Logger;
}

/** Of a store with a folder; the same as a relay's. */
const deviceKeyName = "device-key.pem";
const ignore = (): void => undefined;
const silent: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/**
 * Opens a replica in this process: recovers what a crash left behind, and only then returns. The device
 * key is made on first open.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*` as the store does; `HEDDLE_CONFIG_INVALID` when the file of the
 * device key holds none.
 */
export async function openReplica(options: OpenReplicaOptions): Promise<LiveReplica> {
  const { store: given, logger = silent, ...rest } = options;
  const environment = nodeEnvironment(logger);
  const isOpener = "open" in given;
  const store = isOpener ? await given.open(environment) : given;
  const release = isOpener ? () => store.close() : undefined;
  try {
    const directory = isOpener ? given.directory : undefined;
    const signer = rest.signer ?? (await signerIn(directory));
    const own = { store, environment, signer, engine: rest.engine ?? "heddle" };
    const replica = await Replica.open({ ...rest, ...own });
    return new LiveReplica({ replica, environment, release });
  } catch (error) {
    await release?.();
    throw error;
  }
}

function signerIn(directory: string | undefined): Promise<ReplicaOptions["signer"]> {
  if (directory === undefined) return Promise.resolve(ephemeralDeviceKey());
  return openDeviceKey(path.join(path.resolve(directory), deviceKeyName));
}
