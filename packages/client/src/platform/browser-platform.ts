import { laterStore } from "./later-store.ts";
import { browserEnvironment } from "./browser-environment.ts";
import type { Platform } from "./platform.ts";
import { ephemeralKey, openDeviceKey, webVerifier } from "./web-keys.ts";

/** Missing in workers, which nobody sees. */
const { document: shown } = globalThis as { readonly document?: Document };

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
      if (shown?.visibilityState === "hidden") listener();
    };
    return listening([
      [shown, "visibilitychange", onChange],
      [shown, "freeze", listener],
      [globalThis, "pagehide", listener],
    ]);
  },
  onResumed(listener) {
    const onShow = (event: Event): void => {
      if ((event as PageTransitionEvent).persisted) listener();
    };
    return listening([
      [shown, "resume", listener],
      [globalThis, "pageshow", onShow],
    ]);
  },
  onShown(listener) {
    const onChange = (): void => {
      if (shown?.visibilityState === "visible") listener();
    };
    return listening([[shown, "visibilitychange", onChange]]);
  },
  onNetwork(listener) {
    return listening([
      [globalThis, "online", () => listener(true)],
      [globalThis, "offline", () => listener(false)],
    ]);
  },
};

type Listening = readonly [EventTarget | undefined, string, (event: Event) => void];

function listening(listeners: readonly Listening[]): () => void {
  for (const [target, name, listener] of listeners) target?.addEventListener(name, listener);
  return () => {
    for (const [target, name, listener] of listeners) target?.removeEventListener(name, listener);
  };
}
