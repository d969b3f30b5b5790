import { platform } from "#platform";
import type { Signer } from "@heddle/core";
import { noteDevice } from "@heddle/replica";

import type { OpenedStore, ReplicaStore } from "./platform/platform.ts";

/**
 * The key of this device, made on first use. A store that has one on record is told, and says so when it
 * was another one.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function deviceSigner(given: ReplicaStore, store: OpenedStore): Promise<Signer> {
  const signer = await platform.deviceKey(given);
  // One that was made for this page or process is another one each time.
  if (platform.keepsKey(given)) await noteDevice(store, signer);
  return signer;
}
