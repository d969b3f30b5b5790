import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { HeddlePeer, pairFolders } from "../processes/heddle-peer.ts";
import { launchBrowser, noBrowserReason } from "./browser.ts";
import { bundlePage } from "./bundle-page.ts";
import { PageSite } from "./page-site.ts";
import type { ProviderPage } from "./pages/provider-page.ts";
import { eventually, type, view } from "./provider-pages.ts";

// Goal: a page reaches the devices of the LAN through `heddle peer` on its own machine; other pages do not.
// Method: two `heddle peer` processes that were paired with a link, each with a page in Chromium; pages of
// another origin, and without the token.

/** In the page. */
declare const page: ProviderPage;

describe.skipIf(noBrowserReason !== undefined)("pages at heddle peer", () => {
  let folder: string;
  let site: PageSite;
  let foreign: PageSite;
  let browser: Browser;
  let ada: HeddlePeer;
  let bo: HeddlePeer;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "heddle-lan-pages-"));
    const [atAda, atBo] = [path.join(folder, "ada"), path.join(folder, "bo")];
    // One page, of two origins.
    const scripts = new Map([["/page.js", await bundlePage("provider-page")]]);
    [site, foreign] = [await PageSite.serve(scripts), await PageSite.serve(scripts)];
    await pairFolders(atAda, atBo);
    const flags = ["--pages", "0", "--allow-origin", site.origin];
    ada = await HeddlePeer.start(atAda, ...flags);
    bo = await HeddlePeer.start(atBo, ...flags, "--address", ada.address);
    browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    for (const each of [ada, bo, site, foreign]) await each?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function openAt(peer: HeddlePeer, params: object, from = site): Promise<Page> {
    const tab = await from.open(await browser.newContext());
    const { url } = peer.state.pages!;
    await tab.evaluate(([to, given]) => page.open(to, "paper", false, given), [
      url,
      params,
    ] as const);
    return tab;
  }

  test("[LAN-11] two pages edit one document over the LAN, each at the heddle peer of its machine", async () => {
    const atAda = await openAt(ada, { token: await tokenOf(ada) });
    const atBo = await openAt(bo, { token: await tokenOf(bo) });
    await type(atAda, "warp ");
    await eventually(async () => (await view(atBo)).text).toBe("warp ");
    await type(atBo, "weft");
    await eventually(async () => (await view(atAda)).text).toBe("warp weft");
    for (const tab of [atAda, atBo]) {
      await eventually(async () => (await view(tab)).pending).toBe(0);
      await eventually(async () => (await view(tab)).synced).toBe(true);
      expect((await view(tab)).errors).toEqual([]);
    }
    await eventually(async () => [ada, bo].map(({ state }) => state.pages!.open)).toEqual([1, 1]);
    await eventually(async () => bo.state.peers.map(({ state }) => state)).toEqual(["connected"]);
  });

  test("[LAN-11] a page of another origin, and one without the token, are refused with a code, and get nothing", async () => {
    const token = await tokenOf(ada);
    const before = ada.state.pages!;
    const strangers = [
      await openAt(ada, { token }, foreign),
      await openAt(ada, {}),
      await openAt(ada, { token: `${token}x` }),
    ];
    for (const tab of strangers) {
      await eventually(async () => tab.evaluate(() => page.closes())).toEqual([
        expect.stringMatching(/^4403 (?:pages of this origin|the token is missing)/),
      ]);
      expect((await view(tab)).text).toBe("");
    }
    await eventually(async () => ada.state.pages!.refused - before.refused).toBe(3);
    expect(ada.state.pages!.originsRefused - before.originsRefused).toBe(1);
  });
});

async function tokenOf({ state }: HeddlePeer): Promise<string> {
  return (await readFile(state.pages!.tokenFile!, "utf8")).trim();
}
