import { mkdtemp, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, it } from "vitest";
import { launchBrowser, noBrowserReason } from "./browser.ts";
import { NodePeer } from "./node-peer.ts";
import { NotesWindow } from "./notes-window.ts";
import { RelayProcess, repositoryFolder } from "../processes/relay-process.ts";

// Goal: people at real windows, over a real relay process, end with the same text, whatever happens to the relay.
// Method: key presses in separate browser profiles; each writer has an alphabet of its own, so that what one of
// them wrote can be read out of the common text, in order.

const adaWords = [
  "warp.",
  "over.",
  "weft.",
  "holds.",
  "the.",
  "cloth.",
  "and.",
  "nothing.",
  "slips.",
];
const boWords = [
  "UNDER-",
  "AND-",
  "OVER-",
  "EACH-",
  "THREAD-",
  "KEEPS-",
  "ITS-",
  "PLACE-",
  "HERE-",
];
/** Without care people would be back at the next renewal of presence, 15 seconds after the last. */
const beforeARenewal = { timeout: 10_000 };
const byAda = (text: string) => text.replaceAll(/[^a-z.]/g, "");
const byBo = (text: string) => text.replaceAll(/[^A-Z-]/g, "");

describe.skipIf(noBrowserReason !== undefined)("notes in two windows", () => {
  let browser: Browser;
  let data: string;
  let relay: RelayProcess;

  beforeAll(async () => {
    const isBuilt = existsSync(join(repositoryFolder, "apps/notes/dist/index.html"));
    if (!isBuilt) throw new Error("apps/notes/dist is missing: npm run build");
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), "heddle-e2e-"));
    relay = await RelayProcess.start({ app: "apps/notes/dist", data });
  });
  afterEach(async () => {
    await relay[Symbol.asyncDispose]();
    await rm(data, { recursive: true, force: true });
  });

  const open = (name: string, note: string, context = {}) =>
    NotesWindow.open(browser, { url: `${relay.url}/#/${note}`, name, context });

  it("[APP-2] two people who type at once see the same text, each other, and each other's caret", async () => {
    await using ada = await open("Ada", "together");
    await using bo = await open("Bo", "together");
    await Promise.all([ada.whenConnected(), bo.whenConnected()]);

    let text = "";
    for (const from of [0, 3, 6]) {
      const some = (words: readonly string[]) => words.slice(from, from + 3);
      await Promise.all([ada.typeAtEnd(some(adaWords)), bo.typeAtEnd(some(boWords))]);
      text = await whenSameText([ada, bo]);
    }
    expect(byAda(text)).toBe(adaWords.join(""));
    expect(byBo(text)).toBe(boWords.join(""));
    // Not one after the other: they really met in the same line.
    expect(text.match(/[a-z.](?=[A-Z])|-(?=[a-z])/g)?.length).toBeGreaterThan(2);

    await ada.remoteCaret("Bo").waitFor();
    await bo.remoteCaret("Ada").waitFor();
    await ada.person("Bo").waitFor();
    await bo.rename("Bo of the Loom");
    await ada.person("Bo of the Loom").waitFor();
    await ada.remoteCaret("Bo of the Loom").waitFor();

    await ada.reload();
    await ada.whenConnected();
    await eventually(() => ada.text()).toBe(text);
    expect([...ada.complaints, ...bo.complaints]).toEqual([]);
  });

  it("[APP-2] a relay killed while both type, and started again, loses nothing", async () => {
    await using ada = await open("Ada", "storm");
    await using bo = await open("Bo", "storm");
    await Promise.all([ada.whenConnected(), bo.whenConnected()]);

    const { port } = relay;
    const [adaLast, boLast] = [adaWords.slice(-1), boWords.slice(-1)];
    const writing = Promise.all([
      ada.typeAtEnd(adaWords.slice(0, -1), 40),
      bo.typeAtEnd(boWords.slice(0, -1), 40),
    ]);
    // Both write in one place: a word of one of them need not stand in one piece.
    await eventually(async () => byBo(await ada.text()).length).toBeGreaterThan(4);
    ada.isRelayDown = bo.isRelayDown = true;
    await relay.kill();
    await Promise.all([ada.whenStatus("Offline"), bo.whenStatus("Offline")]);
    await writing;
    await Promise.all([ada.typeAtEnd(adaLast), bo.typeAtEnd(boLast)]);
    expect(await ada.text()).not.toBe(await bo.text());
    await ada.page.getByText("Your edits are kept on this device").waitFor();

    relay = await RelayProcess.start({ app: "apps/notes/dist", data, port });
    await Promise.all([ada.whenConnected(), bo.whenConnected()]);
    const text = await whenSameText([ada, bo]);
    expect(byAda(text)).toBe(adaWords.join(""));
    expect(byBo(text)).toBe(boWords.join(""));
    // People are back as soon as the connection is, not at their next sign of life.
    await ada.person("Bo").waitFor(beforeARenewal);
    await bo.person("Ada").waitFor(beforeARenewal);
    ada.isRelayDown = bo.isRelayDown = false;

    await using late = await open("Cy", "storm");
    await late.whenConnected();
    await eventually(() => late.text()).toBe(text);
    expect([...ada.complaints, ...bo.complaints, ...late.complaints]).toEqual([]);
  });

  it("[APP-2] what somebody saw is there after kill -9, though no window is left to bring it back", async () => {
    const { port } = relay;
    let seen: string;
    {
      await using ada = await open("Ada", "witness");
      await using bo = await open("Bo", "witness");
      await Promise.all([ada.whenConnected(), bo.whenConnected()]);
      const writing = ada.typeAtEnd(adaWords, 40);
      await eventually(() => bo.text()).toContain("weft.");
      ada.isRelayDown = bo.isRelayDown = true;
      await relay.kill();
      await bo.whenStatus("Offline");
      seen = await bo.text();
      await writing;
      expect([...ada.complaints, ...bo.complaints]).toEqual([]);
    }

    relay = await RelayProcess.start({ app: "apps/notes/dist", data, port });
    await using late = await open("Cy", "witness");
    await late.whenConnected();
    await eventually(() => late.text()).toContain(seen);
    expect(late.complaints).toEqual([]);
  });

  it("[APP-2] edits made offline survive a change of note", async () => {
    await using ada = await open("Ada", "first");
    await ada.whenConnected();
    const { port } = relay;
    ada.isRelayDown = true;
    await relay.kill();
    await ada.whenStatus("Offline");
    await ada.typeAtEnd(["only.here."]);
    await ada.page.goto(`${relay.url}/#/second`);
    // Until then the first is shown, and typed into.
    await eventually(() => ada.text()).toBe("");
    await ada.typeAtEnd(["and.here."]);

    relay = await RelayProcess.start({ app: "apps/notes/dist", data, port });
    await ada.whenConnected();
    ada.isRelayDown = false;
    await using first = await open("Bo", "first");
    await using second = await open("Cy", "second");
    await eventually(() => first.text()).toBe("only.here.");
    await eventually(() => second.text()).toBe("and.here.");
    expect(ada.complaints).toEqual([]);
  });

  it("[APP-2] a person who works apart sees what is to be sent, and it is sent when they come back", async () => {
    await using ada = await open("Ada", "apart");
    await using bo = await open("Bo", "apart");
    await Promise.all([ada.whenConnected(), bo.whenConnected()]);
    const network = ada.page.getByRole("switch", { name: "Use the network" });
    await network.uncheck();
    await ada.whenStatus("Offline");
    await ada.typeAtEnd(["apart."]);
    await ada.whenStatus("to send");
    await bo.typeAtEnd(["TOGETHER-"]);
    await ada.page.getByText("Your edits are kept on this device").waitFor();
    await network.check();
    await ada.whenStatus("Saved");
    const text = await whenSameText([ada, bo]);
    expect([byAda(text), byBo(text)]).toEqual(["apart.", "TOGETHER-"]);
    expect([...ada.complaints, ...bo.complaints]).toEqual([]);
  });

  it("[APP-2] a person whose connection dropped alone is there again at once", async () => {
    await using ada = await open("Ada", "dropped");
    await using bo = await open("Bo", "dropped");
    const sockets: { close(): Promise<void> }[][] = [];
    await ada.page.routeWebSocket(/^ws:\/\/[^/]+\/$/, (socket) => {
      sockets.push([socket, socket.connectToServer()]);
    });
    await ada.whenConnected();
    await ada.reload();
    // Bo may still see her from before: her new connection is what is waited for.
    await eventually(() => sockets.length).toBeGreaterThan(0);
    await ada.whenConnected();
    await bo.person("Ada").waitFor();

    const dials = sockets.length;
    for (const end of sockets.at(-1)!) await end.close();
    await eventually(() => sockets.length).toBeGreaterThan(dials);
    await ada.whenConnected();
    // Somebody else writes: Ada and Bo give no sign of life, and yet the news of Ada's leaving has passed.
    await using other = await NodePeer.connect(relay.url, "notes/dropped");
    other.ydoc.getText("text").insert(0, "meanwhile");
    await eventually(() => bo.text()).toBe("meanwhile");
    await bo.person("Ada").waitFor(beforeARenewal);
    await ada.person("Bo").waitFor(beforeARenewal);
    expect([...ada.complaints, ...bo.complaints]).toEqual([]);
  });

  it("[APP-2] windows that open an empty relay together make one welcome note, once", async () => {
    const windows = await Promise.all(["Ada", "Bo", "Cy"].map((name) => open(name, "")));
    await Promise.all(windows.map((window) => window.whenConnected()));
    const text = await whenSameText(windows);
    expect(text.match(/This note is shared/g)).toHaveLength(1);
    for (const { page, complaints } of windows) {
      await eventually(() => page.getByRole("link", { name: "Welcome" }).count()).toBe(1);
      await eventually(() => coloursOfPeople(page)).toHaveLength(windows.length);
      expect(complaints).toEqual([]);
    }
    await Promise.all(windows.map((window) => window[Symbol.asyncDispose]()));
  });

  it("[APP-2] a peer that writes nonsense into presence and list disturbs nobody", async () => {
    await using ada = await open("Ada", "calm");
    await ada.whenConnected();
    await using note = await NodePeer.connect(relay.url, "notes/calm");
    await using index = await NodePeer.connect(relay.url, "notes/index");

    const cursors = [
      { anchor: 1, head: "x" },
      { anchor: { item: { client: "x" } }, head: {} },
      "nowhere",
    ];
    for (const cursor of cursors) {
      note.awareness.setLocalState({ user: { name: 7, color: "red; position: fixed" }, cursor });
    }
    index.ydoc.getMap("notes").set("bad-entry", { title: 4 });
    index.ydoc.getMap("notes").set("../bad id", { title: "bad" });
    index.ydoc.getMap("notes").set("good", { title: "Good" });
    note.ydoc.getText("text").insert(0, "one\r\ntwo");

    await ada.page.getByRole("link", { name: "Good" }).waitFor();
    await ada.person("Somebody").waitFor();
    await eventually(() => ada.text()).toContain("two");
    await ada.typeAtEnd([" three"]);
    await eventually(() => note.ydoc.getText("text").toString()).toBe("one\r\ntwo three");
    expect(await ada.page.getByRole("link", { name: "bad" }).count()).toBe(0);
    expect(ada.complaints).toEqual([]);
  });

  it("[APP-2] a note made in one window is listed, named and opened in the other; pictures for people", async () => {
    await using ada = await open("Ada Lovelace", "");
    await using bo = await open("Bo Weaver", "", { colorScheme: "dark" });
    await using cy = await open("Cy Spinner", "", {
      viewport: { width: 390, height: 844 },
      isMobile: true,
      hasTouch: true,
      reducedMotion: "reduce",
    });
    await Promise.all([ada.whenConnected(), bo.whenConnected(), cy.whenConnected()]);

    await ada.addNote("Plan for Saturday");
    await ada.type("Market at nine\nBring the blue bags\n");
    await bo.page.getByRole("link", { name: "Plan for Saturday" }).click();
    await eventually(() => bo.text()).toContain("blue bags\n");
    await bo.typeAtEnd(["Lunch at the mill"]);
    await cy.page.getByRole("button", { name: "Show all notes" }).click();
    await cy.screenshot("notes-phone-list");
    await cy.page.getByRole("link", { name: "Plan for Saturday" }).click();
    await whenSameText([ada, bo, cy]);
    expect(cy.page.url()).toBe(ada.page.url());

    await ada.remoteCaret("Bo Weaver").waitFor();
    const light = await ada.screenshot("notes-light");
    const dark = await bo.screenshot("notes-dark");
    await cy.screenshot("notes-phone");
    expect(await cy.overflows()).toEqual([]);
    await screenshotSideBySide(browser, light, dark);
    expect([...ada.complaints, ...bo.complaints, ...cy.complaints]).toEqual([]);
  });
});

/** A page that is still behind gets the time a slow machine needs. */
const eventually = <T>(read: () => T | Promise<T>) => expect.poll(read, { timeout: 20_000 });

/** The text once all show the same. */
async function whenSameText(windows: readonly NotesWindow[]): Promise<string> {
  let texts: string[] = [];
  const read = async () => (texts = await Promise.all(windows.map((window) => window.text())));
  await eventually(async () => new Set(await read()).size === 1 && texts[0] !== "").toBe(true);
  return texts[0] ?? "";
}

/** Each colour once: two people in one colour could not be told apart. */
function coloursOfPeople(page: Page): Promise<string[]> {
  return page
    .locator(".people .avatar")
    .evaluateAll((avatars) => [
      ...new Set(avatars.map((avatar) => getComputedStyle(avatar).backgroundColor)),
    ]);
}

async function screenshotSideBySide(
  browser: Browser,
  ...pictures: readonly Buffer[]
): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 2240, height: 760 } });
  const images = pictures.map(
    (picture) => `<img src="data:image/png;base64,${picture.toString("base64")}">`,
  );
  await page.setContent(
    `<body style="display:flex;gap:20px;margin:20px;background:#888">${images.join("")}`,
  );
  await page.screenshot({ path: join(repositoryFolder, "test-results/notes-two-windows.png") });
  await page.close();
}
