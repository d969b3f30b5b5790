import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { RelayProcess } from "../processes/relay-process.ts";
import { launchBrowser, noBrowserReason } from "./browser.ts";
import { PageSite } from "./page-site.ts";
import type { TracePage } from "./pages/trace-page.ts";
import { isRecordingThere, recordedEnd, typedPlan } from "./typed-plan.ts";

// Goal: what two people typed at once in two windows is in both as it was recorded.
// Method: a recorded session of two, typed through CodeMirror by two pages; each waits only for what its
// person had seen, so that the pages write at the same time as the people did.

/** All 26,078 transactions take minutes: HEDDLE_TYPED=all. */
const all = process.env["HEDDLE_TYPED"] === "all";
const transactions = all ? Infinity : 400;
const limitMs = all ? 1_800_000 : 120_000;

/** In the page. */
declare const page: TracePage;
const stateOf = (tab: Page) => tab.evaluate(() => page.state());

describe.skipIf(noBrowserReason !== undefined || !isRecordingThere)("a recorded session", () => {
  let browser: Browser;
  let site: PageSite;
  let relay: RelayProcess;
  let data: string;

  beforeAll(async () => {
    site = await PageSite.start("trace-page");
    data = await mkdtemp(join(tmpdir(), "heddle-typed-"));
    relay = await RelayProcess.start({ data, flags: ["--allow-origin", site.origin] });
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await relay?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
    await rm(data, { recursive: true, force: true });
  });

  test(
    "[CLT-1] of two people ends as it was recorded when two pages type it through CodeMirror",
    async () => {
      const { byAgent, endContent } = typedPlan(transactions);
      if (all) expect(endContent).toBe(recordedEnd());
      const url = relay.url.replace("http", "ws");
      const tabs = await Promise.all(
        byAgent.map(async () => site.open(await browser.newContext())),
      );
      const clients = await Promise.all(
        tabs.map((tab) => tab.evaluate((to) => page.open(to, "friends"), url)),
      );
      const startMs = Date.now();
      await Promise.all(
        tabs.map((tab, agent) =>
          tab.evaluate(([steps, ids]) => page.play(steps!, ids!), [
            byAgent[agent]!,
            clients,
          ] as const),
        ),
      );
      for (const [agent, tab] of tabs.entries()) {
        const read = () => stateOf(tab);
        await expect.poll(read, { timeout: limitMs / 4, interval: 200 }).toMatchObject({
          typed: byAgent[agent]!.length,
          client: clients[agent],
          shown: endContent,
          isSame: true,
          pending: 0,
        });
      }
      const steps = byAgent.map(({ length }) => length).join(" and ");
      process.stdout.write(`two pages typed ${steps} transactions in ${Date.now() - startMs} ms\n`);
    },
    limitMs,
  );
});
