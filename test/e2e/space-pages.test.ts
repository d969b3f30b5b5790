import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { openReplica } from "@heddle/client";
import { createSpace, deviceKey, MemberRole, type DeviceKey } from "@heddle/core";
import type { LiveReplica } from "@heddle/replica";
import {
  deviceKeyFileIn,
  nodeEnvironment,
  openDeviceKey,
  writeSpaceFile,
} from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";

import { RelayProcess } from "../processes/relay-process.ts";
import { launchBrowser, noBrowserReason } from "./browser.ts";
import { PageSite } from "./page-site.ts";
import type { ProviderPage } from "./pages/provider-page.ts";
import { eventually, type, view } from "./provider-pages.ts";

// Goal: what a device may do in a space is the same in a browser as anywhere else.
// Method: pages in Chromium with keys of WebCrypto, a relay process that is a member, and an admin in Node.

/** In the page. */
declare const page: ProviderPage;

const ignore = (): void => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

describe.skipIf(noBrowserReason !== undefined)("pages of a space", () => {
  let folder: string;
  let genesis: Uint8Array;
  let site: PageSite;
  let relay: RelayProcess;
  let browser: Browser;
  let admin: LiveReplica;

  /** The key of the device whose folder that is. */
  async function signerIn(name: string) {
    const data = path.join(folder, name);
    await (await levelStore(data).open(nodeEnvironment(silent))).close();
    return openDeviceKey(deviceKeyFileIn(data));
  }

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "heddle-space-pages-"));
    const madeAt = { wallMs: Date.now(), counter: 0 };
    const signer = await signerIn("admin");
    genesis = (await createSpace({ ...nodeEnvironment(silent), signer, madeAt })).bytes;
    const { devicePublicKey } = await signerIn("relay");
    const data = path.join(folder, "relay");
    await writeSpaceFile(data, genesis);
    site = await PageSite.start("provider-page");
    relay = await RelayProcess.start({ data, flags: ["--allow-origin", site.origin] });
    const store = levelStore(path.join(folder, "admin"));
    admin = await openReplica({ store, genesis, peers: [urlOf(relay)], WebSocket });
    await admin.replica.acts!.grant(deviceKey(devicePublicKey), MemberRole.relay);
    browser = await launchBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await admin?.close();
    for (const each of [relay, site]) await each?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  async function openIn(context: BrowserContext): Promise<Page> {
    const tab = await site.open(context);
    await tab.evaluate(([url, bytes]) => page.open(url, "paper", false, {}, bytes), [
      urlOf(relay),
      [...genesis],
    ] as const);
    return tab;
  }

  test("[MEM-7, MEM-8, MEM-9, CLT-16] a page is a stranger, a reader, a writer and removed like any other device", async () => {
    const document = await admin.open("paper");
    const shared = document.ydoc.getText("text");
    shared.insert(0, "from the admin. ");
    const profile = await browser.newContext();
    const [first, second] = [await openIn(profile), await openIn(profile)];
    const stranger = await openIn(await browser.newContext());

    // Windows of one device have what it has; nobody else has.
    await type(second, "from a page. ");
    await eventually(async () => (await view(first)).text).toBe("from a page. ");
    const { device, role } = (await first.evaluate(() => page.membership()))!;
    expect(role).toBeUndefined();
    await grant(device, MemberRole.read);
    const both = ["from a page. ", "from the admin. "];
    for (const tab of [first, second]) {
      await eventually(async () => sentences((await view(tab)).text)).toEqual(both);
    }
    const errors = async () =>
      (await Promise.all([first, second].map(view))).flatMap((v) => v.errors);
    await eventually(async () => (await errors()).length).toBeGreaterThan(0);
    expect(shared.toJSON()).toBe("from the admin. ");

    await grant(device, MemberRole.write);
    await eventually(async () => sentences(shared.toJSON())).toEqual(both);
    await type(first, "more. ");
    await eventually(async () => sentences(shared.toJSON())).toContain("more. ");

    await admin.replica.acts!.revoke(device);
    await eventually(async () => (await first.evaluate(() => page.closes())).join()).toContain(
      "4403",
    );
    await type(first, "late. ");
    await eventually(async () => (await view(second)).text).toContain("late. ");
    shared.insert(0, "last. ");
    await document.whenSaved();
    expect(shared.toJSON()).not.toContain("late");
    expect((await view(first)).text).not.toContain("last");
    expect((await view(stranger)).text).toBe("");
    await document.close();
  });

  async function grant(device: DeviceKey, role: MemberRole): Promise<void> {
    await admin.replica.acts!.grant(device, role);
  }
});

function urlOf({ url }: RelayProcess): string {
  return url.replace("http", "ws");
}

const sentences = (text: string): string[] => (text.match(/[^.]+\. /g) ?? []).toSorted();
