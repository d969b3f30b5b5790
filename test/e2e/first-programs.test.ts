import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify, stripVTControlCharacters } from "node:util";

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { codeIn, SavedProgram } from "../processes/markdown-program.ts";
import { RelayProcess, repositoryFolder } from "../processes/relay-process.ts";
import { launchBrowser, noBrowserReason } from "./browser.ts";
import { PageSite } from "./page-site.ts";

// Goal: the first programs that somebody copies work as they are printed.
// Method: run them, with one relay: what one writes, the others show.

const printedRelay = "ws://127.0.0.1:8787";
const wait = { timeout: 60_000 };

/** Without those that are empty. */
const linesOf = (code: string): number => code.split("\n").filter(Boolean).length;
const listIn = (tab: Page) => tab.locator("li").allTextContents();

async function add(tab: Page, thing: string): Promise<void> {
  await tab.getByLabel("What to buy").fill(thing);
  await tab.getByRole("button", { name: "Add" }).click();
}

describe.skipIf(noBrowserReason !== undefined)("first programs", () => {
  let browser: Browser;
  let data: string;
  let relay: RelayProcess;
  let url: string;
  const servers: ChildProcess[] = [];

  beforeAll(async () => {
    data = await mkdtemp(path.join(tmpdir(), "heddle-first-"));
    relay = await RelayProcess.start({ data: path.join(data, "relay") });
    url = relay.url.replace("http", "ws");
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    for (const { pid } of servers) process.kill(-pid!, "SIGTERM");
    await relay?.[Symbol.asyncDispose]();
    await rm(data, { recursive: true, force: true });
  });

  /** What a reader's own relay would be is the one of this test. */
  async function save(code: string, name: string): Promise<SavedProgram> {
    expect(code).toContain(printedRelay);
    return SavedProgram.save(code.replace(printedRelay, url), name);
  }

  test("[CLT-1, CLT-2] the README's first page and first program are short, and see each other", async () => {
    const printed = await codeIn("README.md", "Getting started");
    expect(await codeIn("docs/getting-started.md", "The first lines")).toEqual(printed);
    const [inPage = "", inNode = ""] = printed;
    for (const code of printed) expect(linesOf(code)).toBeLessThan(10);
    await using node = await save(inNode, "node.mjs");
    expect(await node.run()).toBe("");
    await using page = await save(`${inPage}globalThis.isReady = true;\n`, "page.mjs");
    await using site = await PageSite.start(page.file);
    const tab = await site.open(await browser.newContext());
    await expect.poll(() => tab.textContent("body"), wait).toContain("from Node ");
    expect(await tab.textContent("body")).toContain("from a page ");
    await expect.poll(() => tab.title(), wait).toBe("0 to send");
  });

  /** As the example's README says; what it prints is where its page is. */
  async function openPage(example: "plain" | "react"): Promise<Page> {
    const args = ["run", example, "-w", "apps/examples", "--", "--host", "127.0.0.1"];
    const options = { cwd: repositoryFolder, detached: true } as const;
    const server = spawn("npm", args, { ...options, stdio: ["ignore", "pipe", "inherit"] });
    servers.push(server);
    for await (const line of createInterface({ input: server.stdout })) {
      const [address] = /http:\/\/[\d.:]+\//.exec(stripVTControlCharacters(line)) ?? [];
      if (address === undefined) continue;
      const tab = await (await browser.newContext()).newPage();
      await tab.goto(`${address}?relay=${url}`, wait);
      return tab;
    }
    throw new Error(`${example} ended with ${(await once(server, "exit")).join()}`);
  }

  async function runNode(...things: readonly string[]): Promise<string> {
    const args = ["run", "--silent", "node", "-w", "apps/examples", "--", ...things];
    const env = { ...process.env, RELAY_URL: url, DATA: path.join(data, "shopping") };
    return (await promisify(execFile)("npm", args, { cwd: repositoryFolder, env })).stdout;
  }

  test("[CLT-1, CLT-8] the examples in Node, without a framework and with React show one list", async () => {
    const programs = [runNode("bread", "butter"), openPage("plain"), openPage("react")] as const;
    const [first, plain, react] = await Promise.all(programs);
    let said = first;
    expect(said).toMatch(/^saved here: 2 things on the list\n/);
    // Beside two servers that start it may have given up waiting: the next run sends it, as it says.
    const sent = `saved here: 2 things on the list\nand on the relay ${url}\n`;
    const askAgain = async () => (said === sent ? said : (said = await runNode()));
    await expect.poll(askAgain, wait).toBe(sent);
    for (const tab of [plain, react]) {
      await expect.poll(() => listIn(tab), wait).toEqual(["bread", "butter"]);
    }
    await add(plain, "milk");
    await expect.poll(() => listIn(react), wait).toEqual(["bread", "butter", "milk"]);
    await add(react, "salt");
    await expect.poll(() => listIn(plain), wait).toEqual(["bread", "butter", "milk", "salt"]);
    await react.getByRole("button", { name: "Undo" }).click();
    await expect.poll(() => listIn(plain), wait).toEqual(["bread", "butter", "milk"]);
    for (const tab of [plain, react]) {
      const status = tab.getByRole("status");
      await expect.poll(() => status.textContent(), wait).toBe("saved here, nothing to send");
    }
    await relay.kill();
    expect(await runNode("sugar")).toMatch(
      /^saved here: \d things .*\nno relay at .* send next time\n$/,
    );
  });
});
