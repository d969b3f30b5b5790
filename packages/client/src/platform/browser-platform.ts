import { laterStore } from "./later-store.ts";
import { browserEnvironment } from "./browser-environment.ts";
import type { Platform } from "./platform.ts";
import { ephemeralKey, openDeviceKey, webVerifier } from "./web-keys.ts";

/** A browser: documents are kept in IndexedDB. */
export const platform: Platform = {
  environment: browserEnvironment,
  verifier: webVerifier,
  defaultStore: laterStore,
  deviceKey: ({ keep }) => (keep ? openDeviceKey(keep) : ephemeralKey()),
  keepsKey: ({ keep }) => keep !== undefined,
  async persist() {
    const { storage } = navigator as { readonly storage?: StorageManager };
    // Missing outside a secure context: then the browser clears when it likes.
    return (await storage?.persist?.()) ?? false;
  },
  hasTabs: "locks" in navigator && "BroadcastChannel" in globalThis,
  onHidden(listener) {
    const onChange = (): void => {
      if (document.visibilityState === "hidden") listener();
    };
    document.addEventListener("visibilitychange", onChange);
    return () => document.removeEventListener("visibilitychange", onChange);
  },
  onNetwork(listener) {
    const online = (): void => listener(true);
    const offline = (): void => listener(false);
    addEventListener("online", online);
    addEventListener("offline", offline);
    return () => {
      removeEventListener("online", online);
      removeEventListener("offline", offline);
    };
  },
};
