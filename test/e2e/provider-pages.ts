import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";

import { RelayProcess } from "../processes/relay-process.ts";
import { launchBrowser } from "./browser.ts";
import { PageSite } from "./page-site.ts";
import type { ProviderPage } from "./pages/provider-page.ts";

/** In the page. */
declare const page: ProviderPage;

/** Pages of `provider-page.ts` at a relay process of each test's own; to be made in a `describe`. */
export class ProviderPages {
  site!: PageSite;
  relay!: RelayProcess;
  readonly #room: string;
  #browser!: Browser;
  #data!: string;
  readonly #contexts: BrowserContext[] = [];

  constructor(room = "paper") {
    this.#room = room;
    beforeAll(async () => {
      this.site = await PageSite.start("provider-page");
      this.#browser = await launchBrowser();
    });
    afterAll(async () => {
      await this.#browser?.close();
      await this.site?.[Symbol.asyncDispose]();
    });
    beforeEach(async () => {
      this.#data = await mkdtemp(join(tmpdir(), "heddle-provider-e2e-"));
      await this.startRelay(0);
    });
    afterEach(async () => {
      await Promise.all(this.#contexts.splice(0).map((context) => context.close()));
      await this.relay[Symbol.asyncDispose]();
      await rm(this.#data, { recursive: true, force: true });
    });
  }

  get relayUrl(): string {
    return this.relay.url.replace("http", "ws");
  }

  async startRelay(port: number): Promise<void> {
    const origins = [this.site.origin, this.site.insecureOrigin];
    const flags = origins.flatMap((origin) => ["--allow-origin", origin]);
    this.relay = await RelayProcess.start({ data: this.#data, port, flags });
  }

  /** One person: a browser profile of their own. */
  async person(): Promise<BrowserContext> {
    const context = await this.#browser.newContext();
    this.#contexts.push(context);
    return context;
  }

  /** The process that a tab runs in: the one that is busy when the tab is. */
  async rendererOf(tab: Page): Promise<number> {
    const session = await this.#browser.newBrowserCDPSession();
    const times = async (): Promise<Map<number, number>> => {
      const { processInfo } = await session.send("SystemInfo.getProcessInfo");
      const renderers = processInfo.filter(({ type: kind }) => kind === "renderer");
      return new Map(renderers.map(({ id, cpuTime }) => [id, cpuTime]));
    };
    const before = await times();
    await tab.evaluate(() => {
      const endMs = performance.now() + 500;
      while (performance.now() < endMs);
    });
    const used = [...(await times())].map(([id, after]) => [id, after - (before.get(id) ?? 0)]);
    await session.detach();
    return used.toSorted(([, a], [, b]) => b! - a!)[0]![0]!;
  }

  async open(context: BrowserContext, origin = this.site.origin): Promise<Page> {
    const tab = await this.site.open(context, origin);
    await tab.evaluate(([url, room]) => page.open(url!, room!), [this.relayUrl, this.#room]);
    return tab;
  }
}

export const eventually = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 30_000 });

export const view = (tab: Page) => tab.evaluate(() => page.view());

export const type = (tab: Page, text: string) => tab.evaluate((typed) => page.type(typed), text);

/** The process of the tab ends where it stands; nothing of the page runs any more. */
export async function crash(tab: Page): Promise<void> {
  const gone = tab.waitForEvent("crash");
  const session = await tab.context().newCDPSession(tab);
  // Nobody is left to answer.
  session.send("Page.crash").catch(() => undefined);
  await gone;
  await tab.close();
}
