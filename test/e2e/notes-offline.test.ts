import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { RelayProcess } from "../processes/relay-process.ts";
import { launchBrowser, noBrowserReason } from "./browser.ts";
import { NotesWindow } from "./notes-window.ts";

// Goal: whoever loaded the notes once can go on without the network and without the relay, is told the truth
// about what is saved and sent, and loses nothing with a tab or a relay that dies.
// Method: people at windows of their own, the built page, a relay that is killed.
const app = "apps/notes/dist";
const eventually = <T>(read: () => T | Promise<T>) => expect.poll(read, { timeout: 30_000 });
/** What one wrote while apart may stand against the word that the other one was interrupted in. */
const isMissingIn = (text: string) => (word: string) => !text.includes(word);

describe.skipIf(noBrowserReason !== undefined)("notes without a network", () => {
  let browser: Browser;
  let data: string;
  let relay: RelayProcess;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), "heddle-offline-"));
    relay = await RelayProcess.start({ app, data });
  });
  afterEach(async () => {
    await relay[Symbol.asyncDispose]();
    await rm(data, { recursive: true, force: true });
  });

  const open = (name: string, note: string, context = {}) =>
    NotesWindow.open(browser, { url: `${relay.url}/#/${note}`, name, context });

  it("[APP-4] one works apart, a tab dies while it is typed in, the relay is killed, the page is loaded without it: all meet again", async () => {
    await using ada = await open("Ada", "");
    await using bo = await open("Bo", "");
    await Promise.all([ada.whenConnected(), bo.whenConnected(), ada.whenKept(), bo.whenKept()]);
    await ada.addNote("Loom plan");
    await ada.typeAtEnd(["warp "]);
    await bo.listed("Loom plan").click();
    await eventually(() => bo.text()).toBe("warp ");
    await eventually(() => ada.pendingInAll().textContent()).toContain("All your edits are sent");

    await ada.network.uncheck();
    await ada.whenStatus("Offline");
    await ada.typeAtEnd(["apart "]);
    await ada.whenStatus("to send");
    await eventually(() => ada.pendingInAll().textContent()).toMatch(/\d+ edits? to send/);
    await ada.listed("Welcome").click();
    await eventually(() => ada.listed("Loom plan").textContent()).toMatch(/\d+ edits? to send/);

    // The tab of Bo dies in the middle of a word; what it called saved and sent is there again.
    await bo.typeAtEnd(["under "]);
    await bo.whenStatus("Saved");
    const { port } = relay;
    await relay.kill();
    ada.isRelayDown = bo.isRelayDown = true;
    await bo.whenStatus("Offline");
    await bo.typeAtEnd(["over "]);
    await bo.page.getByText("Your edits are kept on this device").waitFor();
    const interrupted = bo.typeAtEnd(["lost-or-kept"]).then(
      () => "typed",
      () => "interrupted",
    );
    await bo.crashAndReopen();
    await interrupted;

    // Nobody serves the page now.
    await bo.listed("Loom plan").waitFor();
    await eventually(() => bo.text()).toContain("warp under over ");
    await eventually(() => bo.pendingInAll().textContent()).toMatch(/\d+ edits? to send/);
    await ada.reload();
    await ada.network.uncheck();
    await ada.listed("Loom plan").click();
    await eventually(() => ada.text()).toBe("warp apart ");

    relay = await RelayProcess.start({ app, data, port });
    await ada.network.check();
    const windows = [ada, bo];
    for (const { page } of windows) await page.locator(".status.is-connected").waitFor();
    for (const window of windows) {
      await eventually(() => window.pendingInAll().textContent()).toContain(
        "All your edits are sent",
      );
      await window.whenStatus("Saved");
      const words = ["apart", "over", "under", "warp"];
      await eventually(async () => words.filter(isMissingIn(await window.text()))).toEqual([]);
    }
    await eventually(async () => (await ada.text()) === (await bo.text())).toBe(true);
    ada.isRelayDown = bo.isRelayDown = false;
    await using late = await open("Cy", ada.page.url().split("#/")[1]!);
    await eventually(() => late.text()).toBe(await ada.text());
    expect([...ada.complaints, ...bo.complaints, ...late.complaints]).toEqual([]);
  });

  it("[APP-4] what this browser keeps is said as it is: by the browser alone, in this window only, thrown away", async () => {
    const url = `${relay.url}/#/kept`;
    const openAs = (name: string, script?: () => void) =>
      NotesWindow.open(browser, { url, name, ...(script && { script }) });
    await using relaxed = await openAs("Ada", () => {
      Object.defineProperty(IDBTransaction.prototype, "durability", { get: () => "relaxed" });
    });
    await using bare = await openAs("Bo", () => {
      Object.defineProperty(globalThis, "indexedDB", { value: undefined });
    });
    await using evicted = await openAs("Cy");
    for (const window of [relaxed, bare, evicted]) await window.whenConnected();
    await relaxed.typeAtEnd(["woven "]);
    await relaxed.whenStatus("Saved by the browser");
    await relaxed.page.getByText("Notes are kept by this browser").waitFor();
    await bare.whenStatus("In this window only");
    await bare.page.getByText("Notes are kept in this window only").waitFor();
    await evicted.whenStatus("Saved");

    await evicted.evict();
    await evicted.page.getByText("This browser has thrown away what it kept").waitFor();
    await eventually(() => evicted.text()).toBe("woven ");
    await evicted.whenStatus("Saved");

    bare.isRelayDown = true;
    await relay.kill();
    await bare.whenStatus("Offline");
    await bare.typeAtEnd(["alone "]);
    await bare.page.getByText("Your edits are in this window only: keep it open").waitFor();
    expect(await bare.asksBeforeClosing()).toBe(true);
    expect(await bare.overflows()).toEqual([]);
  });
});
