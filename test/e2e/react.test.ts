import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { RelayProcess } from "../processes/relay-process.ts";
import { launchBrowser, noBrowserReason } from "./browser.ts";
import { PageSite } from "./page-site.ts";
import type { ReactPage } from "./pages/react-page.ts";

// Goal: the hooks show what is, in StrictMode, and let go of what is not shown.
// Method: two people at one component in Chromium; what it renders is read out of the page.

/** In the page. */
declare const page: ReactPage;
const facts = async (tab: Page): Promise<unknown> => {
  return JSON.parse((await tab.locator("#facts").textContent()) ?? "null");
};
const shows = (tab: Page, wanted: object) => {
  return expect.poll(() => facts(tab), { timeout: 30_000 }).toMatchObject(wanted);
};

describe.skipIf(noBrowserReason !== undefined)("React hooks in Chromium", () => {
  let browser: Browser;
  let site: PageSite;
  let data: string;
  let relay: RelayProcess;

  beforeAll(async () => {
    site = await PageSite.start("react-page");
    data = await mkdtemp(join(tmpdir(), "heddle-react-"));
    relay = await RelayProcess.start({ data, flags: ["--allow-origin", site.origin] });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await relay?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
    await rm(data, { recursive: true, force: true });
  });

  async function show(person: string): Promise<Page> {
    const tab = await site.open(await browser.newContext());
    const url = relay.url.replace("http", "ws");
    await tab.evaluate(([to, who]) => page.show(to!, who!), [url, person]);
    return tab;
  }

  test("[CLT-8] components show text, map, array, people, status and what is pending, each opened once", async () => {
    const [ada, bo] = [await show("Ada"), await show("Bo")];
    await shows(ada, { name: "first", status: "connected", others: ["Bo"], pending: 0 });
    await ada.locator("#type").click();
    await ada.locator("#count").click();
    await ada.locator("#list").click();
    await shows(bo, { text: "word ", count: 1, list: ["item"], others: ["Ada"], canUndo: false });
    await bo.locator("#type").click();
    await shows(ada, { text: "word word ", canUndo: true, saved: "strict", pending: 0 });
    await ada.locator("#undo").click();
    await shows(bo, { text: "word " });

    await ada.locator("#other").click();
    await shows(ada, { name: "second", text: "", others: [] });
    await shows(bo, { name: "first", others: [] });
    expect(await ada.evaluate(() => [...new Set(page.openings())])).toEqual(["first", "second"]);
    await ada.evaluate(() => page.hide());
    expect(await ada.locator("#facts").count()).toBe(0);
  });
});
