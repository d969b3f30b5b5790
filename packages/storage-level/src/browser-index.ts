export {
  BrowserLogStore,
  browserStore,
  deleteBrowserStore,
  type BrowserStoreOpener,
  type BrowserStoreOptions,
} from "./browser/browser-store.ts";
export type { Durability } from "./browser/indexed-database.ts";
export type { ValueKeep } from "./browser/value-keep.ts";
