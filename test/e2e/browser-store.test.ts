import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { launchBrowser, noBrowserReason } from "./browser.ts";
import { PageSite } from "./page-site.ts";
import type { PageResults } from "./pages/page-suite.ts";

// Goal: the store of a browser keeps what the store of a disk promises.
// Method: the same contract suite, run inside a page on its own IndexedDB.

/** They write thousands of records, and take seconds each: on a disk they are run with all others. */
const large = ["hundreds of lanes", "however many", "many small ones"];

describe.skipIf(noBrowserReason !== undefined)("the store in Chromium", () => {
  let browser: Browser;
  let context: BrowserContext;
  let site: PageSite;

  beforeAll(async () => {
    site = await PageSite.start("store-contract");
    browser = await launchBrowser();
    context = await browser.newContext();
  });

  afterAll(async () => {
    await browser?.close();
    await site?.[Symbol.asyncDispose]();
  });

  test("[STO-1, STO-2, STO-3, STO-5, CLT-11] holds what every LogStore owes, and writes nothing once it was taken", async () => {
    const tab = await site.open(context);
    const { passed, failed } = await tab.evaluate(runSuite, large);
    expect(failed).toEqual([]);
    expect(passed).toBeGreaterThan(70);
    await tab.close();
  });
});

// What follows runs in the page.

function runSuite(left: readonly string[]): Promise<PageResults> {
  const { runPageSuite } = globalThis as unknown as {
    runPageSuite(left: readonly string[]): Promise<PageResults>;
  };
  return runPageSuite(left);
}
