import { randomBytes } from "node:crypto";

import { HeddleErrorCode, type HeddleError } from "@heddle/core";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";

import { noBrowserReason } from "./browser.ts";
import type { ProviderPage } from "./pages/provider-page.ts";
import { crash, eventually, ProviderPages, type, view } from "./provider-pages.ts";

// Goal: the store of a profile is what it says, whatever its tabs, its quota and the browser do to it.
// Method: real tabs, mostly without a relay, so that all that is kept is in the one store. The process of the
// tab that stores is stopped while somebody types there, with its lock in its hand and writes under way; the
// quota is made small; the database is deleted under a page; IndexedDB and a secure context are taken away.

/** In the page. */
declare const page: ProviderPage;

/** What was not counted, in the order of the alphabet. */
const words = (text: string): string[] => {
  return text
    .split(" ")
    .filter((word) => !/^(n\d+)?$/.test(word))
    .toSorted();
};
const taken = (tab: Page) => tab.evaluate(() => page.importYIndexeddb());
const counted = (text: string): number[] => {
  return [...text.matchAll(/\bn(\d+) /g)].map(([, number]) => Number(number));
};

describe.skipIf(noBrowserReason !== undefined)("a profile in Chromium", () => {
  const pages = new ProviderPages();

  test("[CLT-7, CLT-11] the storing tab is stopped while it writes: another takes the store, and what wakes up writes nothing there and loses nothing", async () => {
    await pages.relay.kill();
    const context = await pages.person();
    const first = await pages.open(context);
    const [second, third] = [await pages.open(context), await pages.open(context)];
    await type(second, "two ");
    await all([first, second, third], ["two"]);

    const renderer = await pages.rendererOf(first);
    await first.evaluate(() => page.startCounting(() => undefined, "n"));
    await eventually(async () => counted((await view(second)).text).length).toBeGreaterThan(10);
    process.kill(renderer, "SIGSTOP");
    const stoppedMs = Date.now();
    try {
      await type(second, "three ");
      await type(third, "four ");
      await all([second, third], ["four", "three", "two"]);
      process.stdout.write(`fail-over of a stopped tab: ${Date.now() - stoppedMs} ms\n`);
    } finally {
      process.kill(renderer, "SIGCONT");
    }
    const wokenMs = Date.now();
    await all([first], ["four", "three", "two"]);
    process.stdout.write(`a tab that wakes up has caught up after: ${Date.now() - wokenMs} ms\n`);
    await first.evaluate(() => page.stopCounting());
    const { length } = counted((await view(first)).text);
    await all([first, second, third], ["four", "three", "two"], length);

    // The one that stores now is closed as people do it; the next may be the one that was stopped.
    await second.close();
    await type(third, "five ");
    await type(first, "six ");
    const left = ["five", "four", "six", "three", "two"];
    await all([first, third], left, length);
    const fresh = await pages.open(context);
    await all([fresh], left, length);
    expect((await view(first)).errors).toEqual([]);
  });

  test("[CLT-7] what is typed in tabs that are disconnected is stored, whichever of them stores, and sent by the next", async () => {
    const context = await pages.person();
    const [first, second] = [await pages.open(context), await pages.open(context)];
    for (const tab of [first, second]) {
      await eventually(async () => (await view(tab)).synced).toBe(true);
      await tab.evaluate(() => page.setOnline(false));
    }
    await type(second, "apart ");
    await eventually(async () => (await view(second)).saved).toBe("strict");
    // The one that stores may have sent it before it heard that nobody wants a connection any more.
    expect(await view(second)).toMatchObject({ wsconnected: false, synced: false });
    await crash(second);
    const fresh = await pages.open(context);
    await all([fresh], ["apart"]);
    await eventually(async () => (await view(fresh)).pending).toBe(0);
    expect((await view(first)).wsconnected).toBe(false);
  });

  test("[CLT-12] the quota is reached: it is said, nothing typed is lost, and it is stored when there is room", async () => {
    await pages.relay.kill();
    const context = await pages.person();
    const { origin } = pages.site;
    const blank = await context.newPage();
    await blank.goto(`${origin}/page.js`);
    const session = await context.newCDPSession(blank);
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 500_000 });
    const tab = await pages.open(context);
    await eventually(async () => (await view(tab)).saved).toBe("strict");
    // Whether the browser keeps it when the disk gets full is known, and here it does not.
    await eventually(async () => (await view(tab)).persisted).toBe(false);
    const much = randomBytes(600_000).toString("hex");
    await type(tab, much);
    const { storageFull } = HeddleErrorCode;
    await eventually(() => tab.evaluate(() => page.suspensions())).toContain(storageFull);
    expect(await view(tab)).toMatchObject({ saved: false, pending: 1 });
    await type(tab, "more");
    await session.send("Storage.overrideQuotaForOrigin", { origin });
    await eventually(async () => (await view(tab)).saved).toBe("strict");
    const again = await pages.open(context);
    await eventually(async () => (await view(again)).text.length).toBe(much.length + 4);
    expect((await view(again)).text === `${much}more`).toBe(true);
    expect((await view(tab)).errors).toEqual([]);
  });

  test("[CLT-12] a page that may store nothing works with the relay, and says that it keeps nothing and why", async () => {
    const insecure = await pages.open(await pages.person(), pages.site.insecureOrigin);
    const context = await pages.person();
    await context.addInitScript(() =>
      Object.defineProperty(globalThis, "indexedDB", { value: undefined }),
    );
    const bare = await pages.open(context);
    // Its store was written by a version that comes after this one.
    const newer = await pages.person();
    const before = await newer.newPage();
    await before.goto(`${pages.site.origin}/page.js`);
    const name = `heddle-${new URL(pages.relayUrl).host}`;
    await before.evaluate(async (database) => {
      const opening = indexedDB.open(database, 999);
      await new Promise((resolve) => (opening.onsuccess = resolve));
      opening.result.close();
    }, name);
    const behind = await pages.open(newer);
    await type(insecure, "insecure ");
    await type(bare, "bare ");
    await type(behind, "behind ");
    const { storageUnavailable, storageVersion } = HeddleErrorCode;
    for (const [tab, store] of [
      [insecure, storageUnavailable],
      [bare, storageUnavailable],
      [behind, storageVersion],
    ] as const) {
      const all = ["bare", "behind", "insecure"];
      await eventually(async () => words((await view(tab)).text)).toEqual(all);
      await eventually(async () => (await view(tab)).pending).toBe(0);
      expect(await view(tab)).toMatchObject({ saved: "memory", store, errors: [] });
    }
  });

  test("[CLT-12] the browser throws the store away, under a page and before one: it is said, and what is shown is stored again", async () => {
    await pages.relay.kill();
    const tab = await pages.open(await pages.person());
    await type(tab, "kept ");
    await eventually(async () => (await view(tab)).saved).toBe("strict");
    const session = await tab.context().newCDPSession(tab);
    const evict = { origin: pages.site.origin, storageTypes: "indexeddb" };
    await session.send("Storage.clearDataForOrigin", evict);
    const store = HeddleErrorCode.storageEvicted;
    await eventually(async () => (await view(tab)).store).toBe(store);
    await type(tab, "on ");
    await eventually(async () => (await view(tab)).saved).toBe("strict");
    const again = await pages.open(tab.context());
    await eventually(async () => (await view(again)).text).toBe("kept on ");
    expect((await view(tab)).errors).toEqual([]);

    // An application that clears its data itself does not wait for its own pages.
    await tab.evaluate(
      async (name) => {
        const removal = indexedDB.deleteDatabase(name);
        await new Promise((resolve) => (removal.onsuccess = resolve));
      },
      `heddle-${new URL(pages.relayUrl).host}`,
    );
    await type(tab, "and on ");
    await eventually(async () => (await view(tab)).saved).toBe("strict");
    await crash(tab);
    const kept = await pages.open(tab.context());
    await all([kept], ["and", "kept", "on", "on"]);
    await kept.close();

    await again.close();
    await tab.close();
    const other = await tab.context().newPage();
    await other.goto(`${pages.site.origin}/page.js`);
    await (await tab.context().newCDPSession(other)).send("Storage.clearDataForOrigin", evict);
    const after = await pages.open(tab.context());
    await eventually(async () => (await view(after)).saved).toBe("strict");
    expect(await view(after)).toMatchObject({ text: "", store });
  });

  test("[CLT-13] what y-indexeddb kept is taken over once, however often and from however many tabs it is asked for", async () => {
    await pages.relay.kill();
    const context = await pages.person();
    const first = await pages.open(context);
    const second = await pages.open(context);
    const none = { found: false, updates: 0, hasChanged: false };
    expect(await taken(first)).toEqual(none);
    expect(await taken(first)).toEqual(none);
    await first.evaluate(() => page.spoilYIndexeddb("spoilt"));
    const spoilt = first.evaluate(async () => {
      return page.importYIndexeddb("spoilt").catch((error: HeddleError) => error.code);
    });
    expect(await spoilt).toBe(HeddleErrorCode.updateMalformed);
    expect((await view(first)).text).toBe("");
    await first.evaluate(() => page.fillYIndexeddb("paper", ["Xold ", "older "]));
    const outcomes = await Promise.all([taken(first), taken(second)]);
    expect(outcomes.map(({ found }) => found)).toEqual([true, true]);
    expect(outcomes.filter(({ hasChanged }) => hasChanged)).toHaveLength(1);
    for (const tab of [first, second]) {
      await eventually(async () => (await view(tab)).text).toBe("old older ");
      await eventually(async () => (await view(tab)).saved).toBe("strict");
      await eventually(async () => (await view(tab)).pending).toBe(1);
    }
    const sizes = () => first.evaluate(() => page.sentBytes());
    const bytes = await sizes();
    expect(bytes).toBeGreaterThan(0);
    expect((await taken(second)).hasChanged).toBe(false);
    expect((await taken(first)).hasChanged).toBe(false);
    expect(await sizes()).toBe(bytes);
    expect((await view(first)).pending).toBe(1);
  });

  test("[CLT-13] lives beside y-indexeddb on one document: both keep it, neither doubles it, in two tabs and after reloads", async () => {
    await pages.relay.kill();
    const context = await pages.person();
    const beside = async (): Promise<Page> => {
      const tab = await pages.site.open(context);
      await tab.evaluate((url) => page.open(url, "paper", true), pages.relayUrl);
      await tab.evaluate(() => page.whenPersisted());
      await eventually(async () => (await view(tab)).saved).toBe("strict");
      return tab;
    };
    const first = await beside();
    await type(first, "one ");
    await eventually(async () => (await view(first)).saved).toBe("strict");
    const pending = 1;
    await eventually(async () => (await view(first)).pending).toBe(pending);
    const bytes = await first.evaluate(() => page.sentBytes());
    const second = await beside();
    expect(await second.evaluate(() => page.whenLoaded())).toBe("one ");
    await first.close();
    await second.close();
    const third = await beside();
    expect(await third.evaluate(() => page.whenLoaded())).toBe("one ");
    // Nothing was written again by the second tab, nor by the third.
    await eventually(() => view(third)).toMatchObject({ pending, errors: [] });
    expect(await third.evaluate(() => page.sentBytes())).toBe(bytes);
    await type(third, "two ");
    await eventually(async () => (await view(third)).saved).toBe("strict");
    expect((await view(third)).text).toBe("one two ");
  });

  test("[CLT-15] a page that comes into sight dials at once, in the tab that stores and beside it", async () => {
    const context = await pages.person();
    const [first, second] = [await pages.open(context), await pages.open(context)];
    for (const tab of [first, second]) {
      await eventually(async () => (await view(tab)).wsconnected).toBe(true);
    }
    // From here on nothing is tried again by itself.
    await first.evaluate(() => page.stopTimers());
    for (const shown of [first, second]) {
      const { port } = pages.relay;
      await pages.relay.kill();
      await eventually(async () => (await view(first)).wsconnected).toBe(false);
      await pages.startRelay(port);
      await shown.evaluate(() => page.show());
      await eventually(async () => (await view(first)).wsconnected).toBe(true);
    }
  });

  test("[CLT-11] a page that is about to go out of sight saves what was typed, and one that comes back goes on", async () => {
    await pages.relay.kill();
    const context = await pages.person();
    for (const event of ["visibilitychange", "pagehide", "freeze"] as const) {
      const tab = await pages.open(context);
      await eventually(async () => (await view(tab)).saved).toBe("strict");
      await tab.evaluate(() => page.stopTimers());
      await type(tab, `${event} `);
      expect((await view(tab)).saved).toBe(false);
      await tab.evaluate((name) => page.hide(name), event);
      await eventually(async () => (await view(tab)).saved).toBe("strict");
      await crash(tab);
    }
    const tab = await pages.open(context);
    const expected = ["freeze", "pagehide", "visibilitychange"];
    await all([tab], expected);
    const second = await pages.open(context);
    for (const left of [tab, second]) {
      await left.goto("about:blank");
      // One that was kept loads nothing.
      await left.goBack({ waitUntil: "commit" });
      await left.waitForFunction("globalThis.isReady === true");
      const wasKept = await left.evaluate(() => page.wasKept());
      process.stdout.write(`kept in the back-forward cache: ${wasKept}\n`);
      if (!wasKept) await left.evaluate((url) => page.open(url, "paper"), pages.relayUrl);
      await type(left, "back ");
    }
    await all([tab, second], ["back", "back", ...expected]);
    await eventually(async () => (await view(second)).saved).toBe("strict");
  });
});

/** All of them show those words once, count to `count` without a gap, and have it all in the store. */
async function all(
  tabs: readonly Page[],
  expected: readonly string[],
  count?: number,
): Promise<void> {
  for (const tab of tabs) {
    const shown = async (): Promise<string> => (await view(tab)).text;
    await eventually(async () => words(await shown())).toEqual(expected);
    if (count === undefined) continue;
    await eventually(async () => counted(await shown()).length).toBe(count);
    await eventually(async () => (await view(tab)).saved).toBe("strict");
    expect(counted(await shown()).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: count }, (_, index) => index + 1),
    );
  }
}
