import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Browser } from "playwright-core";
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

  test.each(Object.keys(bundlers))("[CLT-10] %s builds an application that works", async (name) => {
    await using site = await PageSite.serve(await bundle(name));
    const flags = ["--allow-origin", site.origin];
    await using relay = await RelayProcess.start({ data: join(data, name), flags });
    const address = `${site.origin}/?relay=${relay.url.replace("http", "ws")}`;
    const open = async () => site.open(await browser.newContext(), address);
    const [ada, bo] = [await open(), await open()];
    await ada.evaluate(() => page.type("woven"));
    await expect.poll(() => bo.title(), { timeout: 30_000 }).toBe("woven");
    await expect.poll(() => ada.evaluate(() => page.state()), { timeout: 30_000 }).toBe("strict");
  });
});
