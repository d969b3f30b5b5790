// The contract of every LogStore, on the IndexedDB of the browser that this page is open in.
import { Buffer } from "buffer";

import { describeLogStoreContract } from "@heddle/testkit";
import { browserStore, deleteBrowserStore } from "@heddle/storage-level/browser";

import { runPageSuite } from "./page-suite.ts";

// Of the testkit's keys.
Object.assign(globalThis, { Buffer });

let sites = 0;
describeLogStoreContract(
  "BrowserLogStore",
  async (environment) => {
    const name = `site-${++sites}`;
    return {
      open: () => browserStore(name).open(environment),
      dispose: () => deleteBrowserStore(name),
    };
  },
  { modelRuns: 1 },
);

Object.assign(globalThis, { runPageSuite, isReady: true });
