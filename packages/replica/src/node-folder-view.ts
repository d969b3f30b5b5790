import type { Environment, LogStore } from "@heddle/core";

import { nodeVerifier, openDeviceKey } from "./node-environment.ts";
import { deviceKeyFileIn } from "./node-open-replica.ts";
import { readSpaceFile } from "./node-space-file.ts";
import { openSpace } from "./space/open-space.ts";

/**
 * The store of a data folder as documents are read from it, for whoever reads without a replica: in a space without
 * what does not count there, by the records that the store has at this moment.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for a store of another space; `HEDDLE_STORAGE_*`.
 */
export async function folderView(
  directory: string,
  store: LogStore,
  environment: Environment,
): Promise<LogStore> {
  const genesis = await readSpaceFile(directory);
  if (genesis === undefined) return store;
  const signer = await openDeviceKey(deviceKeyFileIn(directory));
  const options = { store, environment, signer, genesis, verifier: nodeVerifier };
  return (await openSpace(options)).store;
}
