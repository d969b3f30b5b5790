import { describe, expect, test } from "vitest";

import { noBrowserReason } from "./browser.ts";
import { crash, eventually, ProviderPages, type, view } from "./provider-pages.ts";
import type { ProviderPage } from "./pages/provider-page.ts";

// Goal: what a page says of an edit is true, whatever happens to the page, the network and the relay.
// Method: pages in Chromium on their own IndexedDB, a relay process; tabs are crashed, not closed.

/** Each kill costs a second; the long run is for people: HEDDLE_KILLS=100. */
const kills = Number(process.env["HEDDLE_KILLS"] ?? 4);

/** In the page. */
declare const page: ProviderPage;

describe.skipIf(noBrowserReason !== undefined)("HeddleProvider in Chromium", () => {
  const pages = new ProviderPages();

  test("[CLT-1, CLT-2] two people, one offline, a tab that dies and a relay that is killed: all is there in the end", async () => {
    const [ada, bo] = [
      await pages.open(await pages.person()),
      await pages.open(await pages.person()),
    ];
    await type(ada, "warp ");
    await eventually(async () => (await view(bo)).text).toBe("warp ");
    await eventually(async () => (await view(ada)).pending).toBe(0);

    await ada.evaluate(() => page.setOnline(false));
    await type(ada, "by-ada ");
    await eventually(async () => (await view(ada)).saved).toBe("strict");
    await eventually(async () => (await view(ada)).pending).toBeGreaterThan(0);

    const { port } = pages.relay;
    await pages.relay.kill();
    await type(bo, "by-bo ");
    await eventually(async () => (await view(bo)).saved).toBe("strict");
    await crash(bo);
    const again = await pages.open(bo.context());
    await eventually(async () => (await view(again)).text).toBe("warp by-bo ");
    await eventually(async () => (await view(again)).pending).toBeGreaterThan(0);

    await pages.startRelay(port);
    await ada.evaluate(() => page.setOnline(true));
    for (const tab of [ada, again]) {
      await eventually(async () => (await view(tab)).pending).toBe(0);
      await eventually(async () => (await view(tab)).text.length).toBe("warp by-ada by-bo ".length);
      await eventually(async () => (await view(tab)).synced).toBe(true);
      expect(await view(tab)).toMatchObject({ saved: "strict", errors: [] });
    }
    expect((await view(ada)).text).toBe((await view(again)).text);
    const late = await pages.open(await pages.person());
    await eventually(async () => (await view(late)).text).toBe((await view(ada)).text);
  });

  test("[CLT-7] tabs of one profile share a store; when the one that stores is killed another goes on, with nothing lost or doubled", async () => {
    const { port } = pages.relay;
    await pages.relay.kill();
    const context = await pages.person();
    const [first, second, third] = [
      await pages.open(context),
      await pages.open(context),
      await pages.open(context),
    ] as const;
    await type(first, "one ");
    await type(second, "two ");
    await type(third, "three ");
    const words = "one two three ".length;
    for (const tab of [first, second, third]) {
      await eventually(async () => (await view(tab)).text.length).toBe(words);
      await eventually(async () => (await view(tab)).saved).toBe("strict");
      await eventually(async () => (await view(tab)).pending).toBeGreaterThan(0);
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
    const fresh = await pages.open(context);
    await eventually(async () => (await view(fresh)).text.length).toBe(all);

    await pages.startRelay(port);
    for (const tab of [second, third, fresh]) {
      await eventually(async () => (await view(tab)).pending).toBe(0);
      await eventually(async () => (await view(tab)).synced).toBe(true);
    }
    const late = await pages.open(await pages.person());
    await eventually(async () => (await view(late)).text.length).toBe(all);
    const { text } = await view(late);
    expect(text.trim().split(" ").toSorted()).toEqual(["five", "four", "one", "three", "two"]);
    for (const tab of [second, third, fresh]) {
      expect(await view(tab)).toMatchObject({ text, errors: [] });
    }

    // The one that waited longest stores by now.
    const closedMs = Date.now();
    await second.close();
    await type(third, "six ");
    await eventually(async () => (await view(third)).saved).toBe("strict");
    process.stdout.write(`fail-over of a closed tab: ${Date.now() - closedMs} ms\n`);
    await eventually(async () => (await view(fresh)).text).toBe(`${text}six `);
  });

  test("[CLT-1] a worker, which has neither document nor window, uses it as a page does", async () => {
    const tab = await pages.open(await pages.person());
    await type(tab, "page ");
    const { origin } = pages.site;
    const program = `import "${origin}/page.js";
      page.open("${pages.relayUrl}", "paper");
      page.type("worker ");
      setInterval(() => postMessage(page.view()), 50);`;
    const last = tab.evaluate((text) => {
      const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      const worker = new Worker(address, { type: "module" });
      return new Promise<Awaited<ReturnType<typeof view>>>((resolve, reject) => {
        worker.addEventListener("error", ({ message }) => reject(new Error(message)));
        worker.addEventListener("message", ({ data }) => {
          if (data.synced && data.pending === 0 && data.text.length === 12) resolve(data);
        });
      });
    }, program);
    expect(await last).toMatchObject({ saved: "strict", errors: [] });
    await eventually(async () => (await view(tab)).text.length).toBe("page worker ".length);
  });

  test(
    `[CLT-5] what was called saved is there after the tab was killed while typing, ${kills} times`,
    async () => {
      const context = await pages.person();
      await pages.relay.kill();
      let saved = "";
      let tier: unknown;
      await context.exposeFunction("say", (text: string, said: unknown) => {
        saved = text;
        tier = said;
      });
      for (let round = 1; round <= kills; round++) {
        const tab = await pages.open(context);
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
      const last = await pages.open(context);
      await eventually(async () => (await view(last)).text.startsWith(saved)).toBe(true);
      // A whole beginning of what was typed each time: no number is missing, doubled or out of order.
      for (const name of Array.from({ length: kills }, (_, index) => nameOf(index + 1))) {
        const numbers = [...(await view(last)).text.matchAll(new RegExp(`\\b${name}(\\d+) `, "g"))];
        expect(numbers.map(([, number]) => Number(number))).toEqual(numbers.map((_, at) => at + 1));
      }
    },
    120_000 + kills * 10_000,
  );
});

function nameOf(round: number): string {
  return `r${round}x`;
}
