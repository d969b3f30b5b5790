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
    return listening([
      [document, "visibilitychange", onChange],
      [document, "freeze", listener],
      [globalThis, "pagehide", listener],
    ]);
  },
  onResumed(listener) {
    const onShow = (event: Event): void => {
      if ((event as PageTransitionEvent).persisted) listener();
    };
    return listening([
      [document, "resume", listener],
      [globalThis, "pageshow", onShow],
    ]);
  },
  onNetwork(listener) {
    return listening([
      [globalThis, "online", () => listener(true)],
      [globalThis, "offline", () => listener(false)],
    ]);
  },
};

function listening(
  listeners: readonly (readonly [EventTarget, string, (event: Event) => void])[],
): () => void {
  for (const [target, name, listener] of listeners) target.addEventListener(name, listener);
  return () => {
    for (const [target, name, listener] of listeners) target.removeEventListener(name, listener);
  };
}
