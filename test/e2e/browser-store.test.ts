import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { launchBrowser, noBrowserReason } from "./browser.ts";
import { bundlePage } from "./bundle-page.ts";
import type { PageResults } from "./pages/page-suite.ts";

// Goal: the store of a browser keeps what the store of a disk promises.
// Method: the same contract suite, run inside a page on its own IndexedDB.

/** They write thousands of records, and take seconds each: on a disk they are run with all others. */
const large = ["hundreds of lanes", "however many", "many small ones"];

describe.skipIf(noBrowserReason !== undefined)("the store in Chromium", () => {
  let browser: Browser;
  let context: BrowserContext;
  let server: Server;
  let origin: string;

  beforeAll(async () => {
    const script = await bundlePage("store-contract");
    server = createServer(({ url }, response) => {
      const isScript = url === "/page.js";
      response.writeHead(200, { "Content-Type": isScript ? "text/javascript" : "text/html" });
      response.end(isScript ? script : '<script type="module" src="/page.js"></script>');
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await launchBrowser();
    context = await browser.newContext();
  });

  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  async function open(): Promise<Page> {
    const tab = await context.newPage();
    const broken = new Promise<never>((_resolve, reject) => tab.on("pageerror", reject));
    await tab.goto(origin);
    await Promise.race([tab.waitForFunction("globalThis.runPageSuite !== undefined"), broken]);
    return tab;
  }

  test("[STO-1, STO-2, STO-3, STO-5] holds what every LogStore owes", async () => {
    const tab = await open();
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
