import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { RelayProcess } from "../processes/relay-process.ts";
import { launchBrowser, noBrowserReason } from "./browser.ts";
import { PageSite } from "./page-site.ts";
import type { ProviderPage } from "./pages/provider-page.ts";

// Goal: what a page says of an edit is true, whatever happens to the page, the network and the relay.
// Method: pages in Chromium on their own IndexedDB, a relay process; tabs are crashed, not closed.

/** Each kill costs a second; the long run is for people: HEDDLE_KILLS=100. */
const kills = Number(process.env["HEDDLE_KILLS"] ?? 4);
const eventually = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 30_000 });

/** In the page. */
declare const page: ProviderPage;
const view = (tab: Page) => tab.evaluate(() => page.view());
const type = (tab: Page, text: string) => tab.evaluate((typed) => page.type(typed), text);

describe.skipIf(noBrowserReason !== undefined)("HeddleProvider in Chromium", () => {
  let browser: Browser;
  let site: PageSite;
  let data: string;
  let relay: RelayProcess;
  const contexts: BrowserContext[] = [];

  beforeAll(async () => {
    site = await PageSite.start("provider-page");
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await site?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), "heddle-provider-e2e-"));
    relay = await startRelay(0);
  });
  afterEach(async () => {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
    await relay[Symbol.asyncDispose]();
    await rm(data, { recursive: true, force: true });
  });

  const startRelay = (port: number) => {
    return RelayProcess.start({ data, port, flags: ["--allow-origin", site.origin] });
  };

  /** One person: a browser profile of their own. */
  async function person(): Promise<BrowserContext> {
    const context = await browser.newContext();
    contexts.push(context);
    return context;
  }

  async function open(context: BrowserContext): Promise<Page> {
    const tab = await site.open(context);
    await tab.evaluate((url) => page.open(url, "paper"), relay.url.replace("http", "ws"));
    return tab;
  }

  test("[CLT-1, CLT-2] two people, one offline, a tab that dies and a relay that is killed: all is there in the end", async () => {
    const [ada, bo] = [await open(await person()), await open(await person())];
    await type(ada, "warp ");
    await eventually(async () => (await view(bo)).text).toBe("warp ");
    await eventually(async () => (await view(ada)).pending).toBe(0);

    await ada.evaluate(() => page.setOnline(false));
    await type(ada, "by-ada ");
    await eventually(async () => (await view(ada)).saved).toBe("strict");
    expect((await view(ada)).pending).toBeGreaterThan(0);

    const { port } = relay;
    await relay.kill();
    await type(bo, "by-bo ");
    await eventually(async () => (await view(bo)).saved).toBe("strict");
    await crash(bo);
    const again = await open(bo.context());
    await eventually(async () => (await view(again)).text).toBe("warp by-bo ");
    await eventually(async () => (await view(again)).pending).toBeGreaterThan(0);

    relay = await startRelay(port);
    await ada.evaluate(() => page.setOnline(true));
    for (const tab of [ada, again]) {
      await eventually(async () => (await view(tab)).pending).toBe(0);
      await eventually(async () => (await view(tab)).text.length).toBe("warp by-ada by-bo ".length);
      await eventually(async () => (await view(tab)).synced).toBe(true);
      expect(await view(tab)).toMatchObject({ saved: "strict", errors: [] });
    }
    expect((await view(ada)).text).toBe((await view(again)).text);
    const late = await open(await person());
    await eventually(async () => (await view(late)).text).toBe((await view(ada)).text);
  });

  test("[CLT-7] tabs of one profile share a store; when the one that stores is killed another goes on, with nothing lost or doubled", async () => {
    const { port } = relay;
    await relay.kill();
    const context = await person();
    const [first, second, third] = [
      await open(context),
      await open(context),
      await open(context),
    ] as const;
    await type(first, "one ");
    await type(second, "two ");
    await type(third, "three ");
    const words = "one two three ".length;
    for (const tab of [first, second, third]) {
      await eventually(async () => (await view(tab)).text.length).toBe(words);
      await eventually(async () => (await view(tab)).saved).toBe("strict");
      expect((await view(tab)).pending).toBeGreaterThan(0);
    }

    const killedMs = Date.now();
    await crash(first);
    await type(second, "four ");
    await type(third, "five ");
    const all = words + "four five ".length;
    for (const tab of [second, third]) {
      await eventually(async () => (await view(tab)).text.length).toBe(all);
      await eventually(async () => (await view(tab)).saved).toBe("strict");
    }
    process.stdout.write(`fail-over of the storing tab: ${Date.now() - killedMs} ms\n`);
    const fresh = await open(context);
    await eventually(async () => (await view(fresh)).text.length).toBe(all);

    relay = await startRelay(port);
    for (const tab of [second, third, fresh]) {
      await eventually(async () => (await view(tab)).pending).toBe(0);
      await eventually(async () => (await view(tab)).synced).toBe(true);
    }
    const late = await open(await person());
    await eventually(async () => (await view(late)).text.length).toBe(all);
    const { text } = await view(late);
    expect(text.trim().split(" ").toSorted()).toEqual(["five", "four", "one", "three", "two"]);
    for (const tab of [second, third, fresh]) {
      expect(await view(tab)).toMatchObject({ text, errors: [] });
    }
  });

  test(`[CLT-5] what was called saved is there after the tab was killed while typing, ${kills} times`, async () => {
    const context = await person();
    await relay.kill();
    let saved = "";
    let tier: unknown;
    await context.exposeFunction("say", (text: string, said: unknown) => {
      saved = text;
      tier = said;
    });
    for (let round = 1; round <= kills; round++) {
      const tab = await open(context);
      await eventually(async () => (await view(tab)).saved).toBe("strict");
      const { text } = await view(tab);
      expect(text.startsWith(saved)).toBe(true);
      const before = saved.length;
      await tab.evaluate((name) => {
        const { say } = globalThis as unknown as { say(saved: string, tier: unknown): void };
        page.startCounting(say, name);
      }, nameOf(round));
      await eventually(async () => saved.length).toBeGreaterThan(before + 20);
      await crash(tab);
      expect(tier).toBe("strict");
    }
    const last = await open(context);
    await eventually(async () => (await view(last)).text.startsWith(saved)).toBe(true);
    // A whole beginning of what was typed each time: no number is missing, doubled or out of order.
    for (const name of Array.from({ length: kills }, (_, index) => nameOf(index + 1))) {
      const numbers = [...(await view(last)).text.matchAll(new RegExp(`\\b${name}(\\d+) `, "g"))];
      expect(numbers.map(([, number]) => Number(number))).toEqual(numbers.map((_, at) => at + 1));
    }
  });
});

function nameOf(round: number): string {
  return `r${round}x`;
}

/** The process of the tab ends where it stands; nothing of the page runs any more. */
async function crash(tab: Page): Promise<void> {
  const gone = tab.waitForEvent("crash");
  const session = await tab.context().newCDPSession(tab);
  // Nobody is left to answer.
  session.send("Page.crash").catch(() => undefined);
  await gone;
  await tab.close();
}
