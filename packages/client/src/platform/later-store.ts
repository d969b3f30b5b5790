import type { BrowserStoreOpener } from "@heddle/storage-level/browser";

import { loadPart } from "../load-part.ts";
import type { ReplicaStore } from "./platform.ts";

/** `browserStore(name)`, whose program is loaded when it is opened: a page shows itself before it stores. */
export function laterStore(name: string): ReplicaStore {
  const load = async (): Promise<BrowserStoreOpener> => {
    const { browserStore } = await loadPart(() => import("@heddle/storage-level/browser"));
    return browserStore(name);
  };
  return {
    name,
    keep: {
      read: async () => (await load()).keep.read(),
      write: async (value) => (await load()).keep.write(value),
    },
    open: async (environment, untilFree) => (await load()).open(environment, untilFree),
  };
}
