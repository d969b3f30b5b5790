import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { RelayProcess } from "../processes/relay-process.ts";
import { launchBrowser, noBrowserReason } from "./browser.ts";
import { PageSite } from "./page-site.ts";
import type { EditorPage } from "./pages/editor-page.ts";

// Goal: editors that people bind to y-websocket's provider work on ours.
// Method: two people in Chromium, each with a profile of their own, type into each editor by keyboard.

/** In the page. */
declare const page: EditorPage;
const eventually = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 30_000 });
const state = (tab: Page) => tab.evaluate(() => page.state());
const read = (tab: Page) => tab.evaluate(() => page.read());

describe.skipIf(noBrowserReason !== undefined)("Editors on HeddleProvider", () => {
  let browser: Browser;
  let site: PageSite;
  let data: string;
  let relay: RelayProcess;
  let ada: Page;
  let bo: Page;

  beforeAll(async () => {
    site = await PageSite.start("editor-page");
    data = await mkdtemp(join(tmpdir(), "heddle-editors-"));
    relay = await RelayProcess.start({ data, flags: ["--allow-origin", site.origin] });
    browser = await launchBrowser();
    ada = await open(await browser.newContext(), "Ada");
    bo = await open(await browser.newContext(), "Bo");
  });
  afterAll(async () => {
    await browser?.close();
    await relay?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
    await rm(data, { recursive: true, force: true });
  });

  async function open(context: BrowserContext, name: string): Promise<Page> {
    const tab = await site.open(context);
    const about = { url: relay.url.replace("http", "ws"), name };
    await tab.evaluate(({ url, name: user }) => page.open(url, "editors", user), about);
    return tab;
  }

  test.each(["codemirror", "tiptap", "prosemirror", "quill"])(
    "[CLT-9] %s: both see both, carets have names, and undo takes back one's own only",
    async (kind) => {
      for (const tab of [ada, bo]) await tab.evaluate((named) => page.mount(named), kind);
      await ada.bringToFront();
      await ada.keyboard.type("warp");
      await eventually(() => read(bo)).toBe("warp");
      await eventually(() => bo.evaluate(() => page.carets())).toContain("Ada");
      await bo.bringToFront();
      await bo.keyboard.press("Control+End");
      await bo.keyboard.type("weft");
      await eventually(() => read(ada)).toBe("warpweft");
      await eventually(() => ada.evaluate(() => page.carets())).toContain("Bo");
      await ada.evaluate(() => page.undoAll());
      for (const tab of [ada, bo]) await eventually(() => read(tab)).toBe("weft");
    },
  );

  test("[CLT-9] beside y-webrtc on the same document nothing is there twice", async () => {
    const other = await open(ada.context(), "Ada's other tab");
    for (const tab of [ada, other]) {
      await tab.evaluate(() => page.mount("codemirror"));
      await tab.evaluate(() => page.addWebrtc());
      await eventually(async () => (await state(tab)).isBeside).toBe(true);
      // A person reads what is there before they write on: a tab that just opened may not have it yet.
      await eventually(() => read(tab)).toBe("weft");
    }
    await other.bringToFront();
    await other.keyboard.press("Control+End");
    await other.keyboard.type(" and shuttle");
    for (const tab of [ada, bo]) {
      await tab.evaluate(() => page.mount("codemirror"));
      await eventually(() => read(tab)).toBe("weft and shuttle");
    }
    for (const tab of [ada, other, bo]) {
      await eventually(async () => (await state(tab)).pending).toBe(0);
    }
    const { written } = await state(bo);
    for (const tab of [ada, other]) expect((await state(tab)).written).toBe(written);
  });
});
