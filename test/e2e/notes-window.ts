import { join } from "node:path";
import type {
  Browser,
  BrowserContext,
  BrowserContextOptions,
  Locator,
  Page,
} from "playwright-core";
import { crash } from "./provider-pages.ts";
import { repositoryFolder } from "../processes/relay-process.ts";

/** The second is the icon of the page, which Chromium asks for again when the address changes. */
const expectedWhileDown = /^WebSocket connection to .* failed|net::ERR_CONNECTION_REFUSED/;

/** What the browser says of a socket that was still connecting when its page went away. */
const expectedWhileLeaving = /WebSocket is closed before the connection is established/;

export interface NotesWindowOptions {
  readonly url: string;
  readonly name: string;
  readonly context?: BrowserContextOptions;
  /** Runs in the page before its own program: how this browser differs from others. */
  readonly script?: () => void;
}

/** One person at one window of the notes page, with a browser profile of their own. */
export class NotesWindow implements AsyncDisposable {
  page: Page;
  /** What the console or the page complained about, but for connections that were expected to fail. */
  readonly complaints: string[] = [];
  /** Set while the relay is down: only then is a failing connection nothing to complain about. */
  isRelayDown = false;
  #isLeaving = false;
  readonly #context: BrowserContext;

  private constructor(context: BrowserContext, page: Page) {
    this.#context = context;
    this.page = page;
    this.#watch();
  }

  #watch(): void {
    const { page } = this;
    page.on("pageerror", (error) => this.complaints.push(`page error: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() !== "error" && message.type() !== "warning") return;
      if (this.isRelayDown && expectedWhileDown.test(message.text())) return;
      if (this.#isLeaving && expectedWhileLeaving.test(message.text())) return;
      this.complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
    });
  }

  static async open(
    browser: Browser,
    { url, name, context: settings, script }: NotesWindowOptions,
  ): Promise<NotesWindow> {
    const context = await browser.newContext({
      viewport: { width: 1100, height: 720 },
      ...settings,
    });
    // The name a person chose earlier; typing one is a test of its own.
    await context.addInitScript(
      (chosen) => localStorage.setItem("heddle.notes.name", chosen),
      name,
    );
    if (script) await context.addInitScript(script);
    const window = new NotesWindow(context, await context.newPage());
    await window.page.goto(url);
    return window;
  }

  async whenConnected(): Promise<void> {
    await this.page.locator(".status.is-connected").waitFor();
  }

  /** What this device has not sent, in all notes. */
  pendingInAll(): Locator {
    return this.page.locator(".device-pending");
  }

  /** A new note with that title; the text is what is written next. */
  async addNote(title: string): Promise<void> {
    await this.page.getByRole("button", { name: "New note" }).click();
    // What is typed before the caret is there goes nowhere.
    await this.page.locator(".note-title:focus").waitFor();
    await this.type(title);
    await this.page.keyboard.press("Enter");
  }

  /** A note in the list, by its title. */
  listed(title: string): Locator {
    return this.page.getByRole("link", { name: title });
  }

  get network(): Locator {
    return this.page.getByRole("switch", { name: "Use the network" });
  }

  /** The browser can open the page without the relay from now on. */
  async whenKept(): Promise<void> {
    await this.page.evaluate(async () => {
      const { active } = await navigator.serviceWorker.ready;
      if (active?.state === "activated") return;
      await new Promise((resolve) => active?.addEventListener("statechange", resolve));
    });
  }

  /** The tab dies while it is used; the profile, with all that is stored in it, stays. */
  async crashAndReopen(): Promise<void> {
    const url = this.page.url();
    await crash(this.page);
    this.page = await this.#context.newPage();
    this.#watch();
    await this.page.goto(url);
  }

  async reload(): Promise<void> {
    this.#isLeaving = true;
    await this.page.reload();
    this.#isLeaving = false;
  }

  /** The status in words, as it stands on the page. */
  async whenStatus(label: string): Promise<void> {
    await this.page.getByRole("status").filter({ hasText: label }).waitFor();
  }

  /** Real key presses, wherever the focus is, slow enough for two people to be interleaved. */
  async type(text: string, delayMs = 12): Promise<void> {
    await this.page.keyboard.type(text, { delay: delayMs });
  }

  /** Word after word, each at what is the end of the note at that moment. */
  async typeAtEnd(words: readonly string[], delayMs?: number): Promise<void> {
    await this.page.getByRole("textbox", { name: "Text of the note" }).focus();
    for (const word of words) {
      await this.page.keyboard.press("Control+End");
      await this.type(word, delayMs);
    }
  }

  async rename(name: string): Promise<void> {
    await this.page.getByLabel("You write as").fill(name);
  }

  remoteCaret(name: string): Locator {
    return this.page.locator(`.remote-caret[data-name="${name}"]`);
  }

  /** Somebody else among the people in this note. */
  person(name: string): Locator {
    return this.page
      .getByRole("list", { name: "People in this note" })
      .getByText(name, { exact: true });
  }

  /** The text as shown: without the invitation to write, and names at carets are drawn by the style sheet. */
  text(): Promise<string> {
    return this.page.locator(".cm-content").evaluate((content) => {
      const copy = content.cloneNode(true) as Element;
      for (const hint of copy.querySelectorAll(".cm-placeholder")) hint.remove();
      return [...copy.querySelectorAll(".cm-line")].map((line) => line.textContent).join("\n");
    });
  }

  /** What is wider than its place: nothing on this page is to be moved sideways. */
  overflows(): Promise<string[]> {
    return this.page.evaluate(() => {
      const wide = [...document.querySelectorAll("html, .note, .note-bar, .sidebar, .notice")];
      return wide
        .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
        .map(({ className, tagName }) => className || tagName);
    });
  }

  /** The browser clears what this site has stored, as it does when the disk gets full. */
  async evict(): Promise<void> {
    const session = await this.#context.newCDPSession(this.page);
    const { origin } = new URL(this.page.url());
    await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "indexeddb" });
  }

  /** Whether the browser asks before it closes the window; it stays open. */
  async asksBeforeClosing(): Promise<boolean> {
    const asked = this.page.waitForEvent("dialog");
    await this.page.close({ runBeforeUnload: true });
    const dialog = await asked;
    await dialog.dismiss();
    return dialog.type() === "beforeunload";
  }

  async screenshot(name: string): Promise<Buffer> {
    return this.page.screenshot({ path: join(repositoryFolder, "test-results", `${name}.png`) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.close();
  }
}
