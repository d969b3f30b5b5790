import {
  ephemeralDeviceKey,
  nodeEnvironment,
  nodeVerifier,
  openDeviceKey,
} from "@heddle/replica/node";

import { memoryStore } from "./memory-store.ts";
import type { Platform } from "./platform.ts";

/** Node: documents are kept in a folder when one is named, and else only while the process lives. */
export const platform: Platform = {
  environment: nodeEnvironment,
  verifier: nodeVerifier,
  defaultStore: memoryStore,
  deviceKey: async ({ directory }) => {
    return directory === undefined
      ? ephemeralDeviceKey()
      : openDeviceKey(`${directory}/device-key.pem`);
  },
  keepsKey: ({ directory }) => directory !== undefined,
  // Nobody clears a folder behind its owner's back.
  persist: async () => true,
  hasTabs: false,
  onHidden: () => () => undefined,
  onResumed: () => () => undefined,
  onShown: () => () => undefined,
  onNetwork: () => () => undefined,
};
