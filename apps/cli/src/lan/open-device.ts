import { existsSync } from "node:fs";
import path from "node:path";

import type { Environment } from "@heddle/core";
import { openParty, type PairingParty } from "@heddle/lan";
import { deviceKeyFileIn } from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";

export interface OpenDeviceOptions {
  readonly data: string;
  readonly environment: Environment;
  readonly name?: string | undefined;
}

/**
 * The device of a data folder, beside a replica that may run on it. In a new folder the store is made
 * first: a device key without a store is what is left of one that was lost, and nothing opens it then.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*` when the store cannot be made, or the key not be read.
 */
export async function openDevice(options: OpenDeviceOptions): Promise<PairingParty> {
  const { data, environment, name } = options;
  const directory = path.resolve(data);
  const deviceKeyFile = deviceKeyFileIn(data);
  if (!existsSync(deviceKeyFile)) {
    const store = await openLevelStore(directory, { environment });
    await store.close();
  }
  return openParty({ directory, deviceKeyFile, environment, name });
}
