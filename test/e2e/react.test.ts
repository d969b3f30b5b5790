import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Browser, BrowserContext, Page } from "playwright-core";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { RelayProcess } from "../processes/relay-process.ts";
import { launchBrowser, noBrowserReason } from "./browser.ts";
import { PageSite } from "./page-site.ts";
import { App } from "./pages/react-note.ts";
import type { ReactPage } from "./pages/react-page.ts";

// Goal: the hooks show what is, in StrictMode, and let go of what is not shown.
// Method: people at one component in Chromium; what it renders is read out of the page.

/** In the page. */
declare const page: ReactPage;
const facts = async (tab: Page): Promise<unknown> => {
  return JSON.parse((await tab.locator("#facts").textContent()) ?? "null");
};
const eventually = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 30_000 });
const shows = (tab: Page, wanted: object) => eventually(() => facts(tab)).toMatchObject(wanted);
const report = (tab: Page) => tab.evaluate(() => page.report());

describe.skipIf(noBrowserReason !== undefined)("React hooks in Chromium", () => {
  let browser: Browser;
  let site: PageSite;
  let data: string;
  let relay: RelayProcess;
  let url: string;

  beforeAll(async () => {
    site = await PageSite.start("react-page");
    data = await mkdtemp(join(tmpdir(), "heddle-react-"));
    relay = await RelayProcess.start({ data, flags: ["--allow-origin", site.origin] });
    url = relay.url.replace("http", "ws");
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await relay?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
    await rm(data, { recursive: true, force: true });
  });

  async function show(person: string, name: string, context?: BrowserContext): Promise<Page> {
    const tab = await site.open(context ?? (await browser.newContext()));
    await tab.evaluate((given) => page.show(given), { url, person, name });
    return tab;
  }

  test("[CLT-8] components show text, map, array, people, status and what is pending, each opened once", async () => {
    const [ada, bo] = [await show("Ada", "first"), await show("Bo", "first")];
    await shows(ada, { name: "first", status: "connected", others: ["Bo"], pending: 0 });
    await ada.locator("#type").click();
    await ada.locator("#count").click();
    await ada.locator("#list").click();
    await shows(bo, { text: "word ", count: 1, list: ["item"], others: ["Ada"], canUndo: false });
    await bo.locator("#type").click();
    const saved = { saved: "strict", pending: 0, isSynced: true };
    await shows(ada, { text: "word word ", canUndo: true, canUndoList: true, ...saved });
    expect(await ada.locator("#content").textContent()).toBe("word word ");
    await ada.locator("#undo").click();
    await ada.locator("#undo-list").click();
    await shows(bo, { text: "word ", list: [] });
    await ada.locator("#redo").click();
    await shows(bo, { text: "word word " });

    await ada.evaluate(() => page.setName("second"));
    await shows(ada, { name: "second", text: "", others: [], canUndo: false });
    await shows(bo, { name: "first", others: [] });
    const both = { opened: ["first", "second"], open: 1 };
    await eventually(() => report(ada)).toMatchObject(both);
    await ada.evaluate(() => page.hide());
    expect(await ada.locator("#facts").count()).toBe(0);
    await eventually(() => report(ada)).toMatchObject({ open: 0, renderedClosed: 0 });
  });

  test("[CLT-8] what is typed just before a component goes is kept, and nothing of it stays behind", async () => {
    const tab = await show("Ada", "comings and goings");
    await shows(tab, { status: "connected" });
    for (let round = 1; round <= 5; round++) {
      await tab.locator("#type").click();
      const given = { url, person: "Ada", name: "comings and goings" };
      await tab.evaluate((again) => {
        page.hide();
        page.show(again);
      }, given);
      await shows(tab, { text: "word ".repeat(round) });
    }
    await tab.locator("#type").click();
    await tab.evaluate(() => page.setVisible(false));
    await eventually(() => report(tab)).toMatchObject({ open: 0 });
    await tab.evaluate(() => page.setVisible(true));
    await shows(tab, { text: "word ".repeat(6), trouble: null });
    const one = { open: 1, renderedClosed: 0, troubles: [] };
    await eventually(() => report(tab)).toMatchObject(one);
  });

  test("[CLT-8] a document that cannot go on is told and replaced, and an impossible name meets the boundary", async () => {
    const tab = await show("Ada", "too deep");
    await shows(tab, { status: "connected" });
    await tab.locator("#type").click();
    await shows(tab, { saved: "strict" });
    await tab.evaluate(() => page.writeTooDeep());
    await shows(tab, { text: "word ", trouble: "reset" });
    await tab.locator("#type").click();
    await shows(tab, { text: "word word ", saved: "strict", pending: 0 });
    await eventually(() => report(tab)).toMatchObject({
      troubles: expect.arrayContaining(["refused", "reset"]),
      opened: ["too deep", "too deep"],
      open: 1,
    });
    await tab.evaluate(() => page.setName("\0"));
    await eventually(() => tab.locator("#error").textContent()).toContain("HeddleError");
  });

  test("[CLT-8] a server renders what there is before a document is open and opens none; a browser goes on from there", async () => {
    const given = { url, person: "Ada", name: "served" };
    const html = renderToString(createElement(App, given));
    const tab = await site.open(await browser.newContext());
    await tab.evaluate(([from, to]) => page.hydrate(from, to), [html, given] as const);
    await shows(tab, { name: "served", status: "connected", text: "" });
    await eventually(() => report(tab)).toMatchObject({ errors: [], opened: ["served"] });
  });
});
