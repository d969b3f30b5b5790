import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { RelayProcess } from "../processes/relay-process.ts";
import { launchBrowser, noBrowserReason } from "./browser.ts";
import { bundle, bundlers } from "./bundlers.ts";
import { PageSite } from "./page-site.ts";

// Goal: the packages as they are published work in what applications are built with, with nothing set.
// Method: each bundler builds the smallest application from the packages' builds; two pages of it meet at a relay.

interface BundledPage {
  type(typed: string): void;
  state(): unknown;
}
/** In the page. */
declare const page: BundledPage;

describe.skipIf(noBrowserReason !== undefined)("Bundlers", () => {
  let browser: Browser;
  let data: string;

  beforeAll(async () => {
    data = await mkdtemp(join(tmpdir(), "heddle-bundlers-"));
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await rm(data, { recursive: true, force: true });
  });

  /** A page whose network fails once for each part that it loads after itself. */
  async function openUnsteadily(address: string): Promise<Page> {
    const tab = await browser.newPage();
    const failed = new Set<string>();
    await tab.route(/\.js$/, async (route) => {
      const { pathname } = new URL(route.request().url());
      const isFirst = !failed.has(pathname) && pathname !== "/page.js";
      // What the page imports before it runs belongs to it.
      const isLater = isFirst && (await tab.evaluate("globalThis.isReady === true"));
      if (isLater) failed.add(pathname);
      await (isLater ? route.abort() : route.continue());
    });
    await tab.goto(address);
    await tab.waitForFunction("globalThis.isReady === true");
    await expect.poll(() => failed.size, { timeout: 30_000 }).toBeGreaterThan(0);
    return tab;
  }

  test.each(Object.keys(bundlers))(
    "[CLT-10, CLT-14] %s builds an application that works, also where a part of it fails to load at first",
    async (name) => {
      await using site = await PageSite.serve(await bundle(name));
      const flags = ["--allow-origin", site.origin];
      await using relay = await RelayProcess.start({ data: join(data, name), flags });
      const address = `${site.origin}/?relay=${relay.url.replace("http", "ws")}`;
      const [ada, bo] = [
        await site.open(await browser.newContext(), address),
        await openUnsteadily(address),
      ];
      await ada.evaluate(() => page.type("woven"));
      await expect.poll(() => bo.title(), { timeout: 30_000 }).toBe("woven");
      await expect.poll(() => ada.evaluate(() => page.state()), { timeout: 30_000 }).toBe("strict");
    },
  );
});
