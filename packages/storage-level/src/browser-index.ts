export {
  BrowserLogStore,
  browserStore,
  deleteBrowserStore,
  type BrowserStoreOpener,
  type BrowserStoreOptions,
} from "./browser/browser-store.ts";
export type { Durability } from "./browser/owned-database.ts";
export type { StoreClaim } from "./browser/store-lock.ts";
export type { ValueKeep } from "./browser/value-keep.ts";
