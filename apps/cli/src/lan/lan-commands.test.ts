import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";

import type { SyncEvent } from "@heddle/sync";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { main } from "../main.ts";
import { diagnosePages } from "./diagnose-pages.ts";
import { openPageToken } from "./page-token.ts";
import type { PeerPicture } from "./peer-picture.ts";
import { PeerProgress } from "./peer-progress.ts";
import { PeerScreen } from "./peer-screen.ts";

// Goal: what the commands of the LAN say, to people and to scripts.
// Method: the commands themselves on two data folders; pictures for the screen. Replicas in a network are in
// test/faults/lan.test.ts.

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "heddle-cli-lan-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function newIo(isTTY = false) {
  const out: string[] = [];
  const err: string[] = [];
  return {
    out,
    err,
    io: { out: (line: string) => out.push(line), err: (line: string) => err.push(line), isTTY },
  };
}

async function run(...argv: readonly string[]) {
  const { io, out, err } = newIo();
  const status = await main(argv, io, new AbortController().signal);
  return { status, out: out.join("\n"), err: err.join("\n") };
}

const dataOf = (name: string) => ["--data", path.join(folder, name), "--name", name];

test("[LAN-5, LAN-2] heddle pair shows a link, uses one, and heddle peers lists and revokes", async () => {
  const shown = newIo();
  const pairing = main(
    ["pair", ...dataOf("ada"), "--host", "127.0.0.1", "--json"],
    shown.io,
    new AbortController().signal,
  );
  await vi.waitFor(() => expect(shown.out).toHaveLength(1), { timeout: 30_000 });
  const { link } = JSON.parse(shown.out[0]!) as { readonly link: string };
  expect(await run("pair", link, ...dataOf("bo"))).toMatchObject({
    status: 0,
    out: expect.stringMatching(/^paired with ada \([0-9a-f]{4}(?:-[0-9a-f]{4}){3}\)$/),
  });
  expect(await pairing).toBe(0);
  expect(JSON.parse(shown.out[1]!)).toMatchObject({ event: "paired", name: "bo" });
  expect(await run("pair", link.slice(0, 60), ...dataOf("cy"))).toMatchObject({ status: 1 });
  expect(existsSync(path.join(folder, "cy"))).toBe(false);
  const again = await run("pair", link, ...dataOf("cy"));
  expect(again).toMatchObject({ status: 1, err: expect.stringContaining("HEDDLE_PAIRING_FAILED") });

  const ada = ["peers", "--data", path.join(folder, "ada")];
  const { out } = await run(...ada);
  expect(out).toMatch(/^device {2}fingerprint .*trusted\nbo .* yes$/);
  const listed = await run(...ada, "--json");
  const { devices } = JSON.parse(listed.out) as { readonly devices: { fingerprint: string }[] };
  expect(Object.keys(devices[0]!)).not.toContain("tagKey");
  const revoked = await run(...ada, "--revoke", devices[0]!.fingerprint.slice(0, 8));
  expect(revoked).toMatchObject({ status: 0, out: expect.stringContaining("no, since") });
  expect(await run(...ada, "--revoke", "beef")).toMatchObject({ status: 2 });
});

test("[LAN-5] heddle pair shows a link as a code for cameras, too, by the name that the device was given", async () => {
  const { out, io } = newIo();
  const stop = new AbortController();
  const device = dataOf("ada");
  const pairing = main(["pair", ...device, "--host", "127.0.0.1"], io, stop.signal);
  await vi.waitFor(() => expect(out).toHaveLength(3), { timeout: 30_000 });
  const [code, command] = out as [string, string];
  const rows = code.split("\n");
  expect(rows.length).toBeGreaterThan(16);
  expect(new Set(rows.map(({ length }) => length)).size).toBe(1);
  expect(code).toMatch(/^[█▀▄ \n]+$/);
  expect(command).toMatch(/^on the other device: {2}heddle pair "heddle-pair:1\?[^"]+"$/);
  stop.abort();
  expect(await pairing).toBe(1);
  expect(readFileSync(path.join(folder, "ada", "lan", "name"), "utf8")).toBe("ada\n");
});

test("[LAN-10] heddle doctor looks for causes without making a folder", async () => {
  const data = path.join(folder, "nowhere");
  const { status, out } = await run("doctor", "--data", data, "--json");
  expect(status).toBe(1);
  const { findings } = JSON.parse(out) as { readonly findings: readonly { cause?: string }[] };
  expect(findings.map(({ cause }) => cause)).toContain("not-paired");
  expect(existsSync(data)).toBe(false);
});

test("[LAN-14, MEM-11] heddle pair takes a device into the space; heddle peers removes it from it", async () => {
  const ada = ["--data", path.join(folder, "ada")];
  await run("members", ...ada, "--create", "--label", "Atelier");
  const shown = newIo();
  const { signal } = new AbortController();
  const flags = ["--host", "127.0.0.1", "--role", "read", "--json"];
  const pairing = main(["pair", ...dataOf("ada"), ...flags], shown.io, signal);
  await vi.waitFor(() => expect(shown.out).toHaveLength(1), { timeout: 30_000 });
  const { link } = JSON.parse(shown.out[0]!) as { readonly link: string };
  expect(await run("pair", link, ...dataOf("bo"))).toMatchObject({ status: 0 });
  expect(await pairing).toBe(0);
  expect(JSON.parse(shown.out[1]!)).toMatchObject({ event: "paired", role: "read" });
  const genesisOf = (name: string) =>
    readFileSync(path.join(folder, name, "space.genesis"), "utf8");
  expect(genesisOf("bo")).toBe(genesisOf("ada"));

  // Nothing ran on the folder: the next replica makes the records.
  await runPeer(ada);
  const asRead = await membersOf(ada);
  expect(asRead).toMatchObject([{ role: "admin" }, { role: "read", label: "bo", revokedBy: [] }]);
  const { fingerprint } = JSON.parse(shown.out[1]!) as { readonly fingerprint: string };
  await run("peers", ...ada, "--revoke", fingerprint);
  await runPeer(ada);
  expect(await membersOf(ada)).toMatchObject([
    { revokedBy: [] },
    { revokedBy: [expect.any(String)] },
  ]);
});

/** Until it shows something. */
async function runPeer(data: readonly string[]): Promise<void> {
  const stop = new AbortController();
  const io = { out: () => stop.abort(), err: () => undefined, isTTY: false };
  await main(["peer", ...data, "--no-discovery", "--json"], io, stop.signal);
}

async function membersOf(data: readonly string[]): Promise<readonly { readonly role: string }[]> {
  const { out } = await run("members", ...data, "--json");
  const { members } = JSON.parse(out) as { readonly members: readonly { readonly role: string }[] };
  return members.toSorted((a, b) => a.role.localeCompare(b.role));
}

describe("the screen of heddle peer", () => {
  const device = { fingerprint: "ab".repeat(32), name: "Bo", tagKey: "", pairedMs: 0 };
  const nobody: PeerPicture = {
    directory: "data",
    fingerprint: "0011-2233",
    port: 4711,
    peers: [],
    documents: 3,
    outbox: { envelopes: 0, bytes: 0 },
    trouble: undefined,
  };
  const bo: PeerPicture = {
    ...nobody,
    peers: [{ device, state: "connected", addresses: ["10.0.0.2:80"], exchange: "done" }],
    outbox: { envelopes: 2, bytes: 2048 },
  };

  test("is a line for each change where nobody watches", () => {
    const { io, out, err } = newIo();
    const screen = new PeerScreen(io, false);
    for (const picture of [nobody, nobody, bo, bo, nobody]) screen.show(picture);
    screen.end();
    expect(out.slice(5)).toEqual([
      "not on any other device yet: 2 envelopes",
      "looks for paired devices",
      "Bo (abab-abab-abab-abab): connected",
      "not on any other device yet: 0 envelopes",
      "paired with nobody yet: heddle pair --data data",
      "Bo (abab-abab-abab-abab): no longer trusted",
      "stopped",
    ]);
    expect(out.join("")).not.toContain("\u001b");
    expect(err).toEqual([]);
  });

  test("is a table that takes the place of the last one where a person watches", () => {
    const { io, out, err } = newIo(true);
    const screen = new PeerScreen(io, false);
    for (const picture of [nobody, nobody, bo]) screen.show(picture);
    expect(err).toHaveLength(2);
    expect(err[1]!.startsWith("\u001b[7A\u001b[J")).toBe(true);
    const text = stripVTControlCharacters(err[1]!);
    const atFirst = stripVTControlCharacters(err[0]!).split("\n");
    expect(atFirst.slice(3, 6)).toEqual([
      "paired with nobody yet: heddle pair --data data, in another terminal",
      "",
      "3 documents",
    ]);
    expect(text).toContain("Bo (abab-abab-abab-abab)  connected  10.0.0.2:80");
    expect(text).toContain(
      "1 of 1 device connected\n2 envelopes (2.0 KiB) not on any other device yet",
    );
    expect(out).toEqual([]);
  });

  const underWay = (documentsDone: number): PeerPicture => {
    const counts = { isFirst: true, documentsWanted: 0, documentsReceived: 0 };
    const bytes = { bytesSent: 100, bytesReceived: 3_250_586 };
    const rest = { ...counts, ...bytes, envelopesToSend: 9, envelopesToReceive: 9 };
    const exchange = { ...rest, documentsDone, documentsTotal: 10_000 };
    return { ...bo, documents: documentsDone, peers: [{ ...bo.peers[0]!, exchange }] };
  };

  test("tells of a first sync in tenths where nobody watches, and of its end", () => {
    const { io, out } = newIo();
    const screen = new PeerScreen(io, false);
    screen.show(bo);
    const before = out.length;
    for (const done of [10, 20, 999, 1_000, 5_200, 5_300]) screen.show(underWay(done));
    screen.show(bo);
    expect(out.slice(before)).toEqual([
      "Bo (abab-abab-abab-abab): ░░░░░░░░░░   0 %  10 of 10,000 documents  ↓ 3.1 MiB  ↑ 100 B",
      "Bo (abab-abab-abab-abab): █░░░░░░░░░  10 %  1,000 of 10,000 documents  ↓ 3.1 MiB  ↑ 100 B",
      "Bo (abab-abab-abab-abab): █████░░░░░  52 %  5,200 of 10,000 documents  ↓ 3.1 MiB  ↑ 100 B",
      "Bo (abab-abab-abab-abab): everything is exchanged",
    ]);
  });

  test("draws a bar below a device that much is exchanged with, and no line wider than the terminal", () => {
    const { io, err } = newIo(true);
    new PeerScreen({ ...io, columns: 60 }, false).show(underWay(5_200));
    // Without `hasColors` there are none.
    const lines = err[0]!.split("\n");
    expect(lines[5]).toBe("  █████░░░░░  52 %  5,200 of 10,000 documents  ↓ 3.1 MiB  ↑…");
    expect(lines[4]).toContain("first sync");
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(60);
  });

  test("says whose store a device claims that is refused, by whichever way it is shown", () => {
    const mallory = { ...device, name: "Mallory" };
    const peers = [
      { ...bo.peers[0]!, device: mallory, state: "not found", claims: device } as const,
    ];
    for (const isTTY of [true, false]) {
      const { io, out, err } = newIo(isTTY);
      new PeerScreen(io, false).show({ ...bo, peers });
      const text = stripVTControlCharacters([...out, ...err].join("\n"));
      expect(text).toContain("refused: it claims the store of Bo (abab-abab-abab-abab)");
    }
    const { io, out } = newIo();
    new PeerScreen(io, true).show({ ...bo, peers });
    expect(JSON.parse(out[0]!)).toMatchObject({ peers: [{ claims: device.fingerprint }] });
  });

  test("is one object a line for scripts, without the key of the pair", () => {
    const { io, out } = newIo();
    const screen = new PeerScreen(io, true);
    for (const picture of [bo, bo, nobody]) screen.show(picture);
    expect(out.map((line) => (JSON.parse(line) as PeerPicture).peers.length)).toEqual([1, 0]);
    expect(out[0]).not.toContain("tagKey");
  });
});

test("[LAN-10] heddle doctor names what keeps pages from the peer on their machine", async () => {
  const findings = await diagnosePages(1, [
    "http://localhost:5173",
    "app://notes",
    "https://notes.example",
    "http://notes.example",
  ]);
  expect(findings.map((each) => (each.isFine ? "fine" : each.cause))).toEqual([
    "pages-not-running",
    "fine",
    "fine",
    "fine",
    "pages-not-secure",
  ]);
  expect(findings[3]!.advice).toContain("the browser may ask first");
});

test("[LAN-11] heddle peer lets no page in without a list of origins, and keeps one token", async () => {
  const data = ["--data", path.join(folder, "ada")];
  const bad = { status: 2, err: expect.stringContaining("HEDDLE_CONFIG_INVALID") };
  expect(await run("peer", ...data, "--pages", "0")).toMatchObject(bad);
  expect(await run("peer", ...data, "--pages", "0", "--allow-origin", "*")).toMatchObject(bad);
  expect(await run("peer", ...data, "--allow-origin", "https://notes.example")).toMatchObject(bad);
  const directory = path.join(folder, "bo");
  const token = await openPageToken(directory);
  expect(token).toMatch(/^[\w-]{32}$/);
  expect(await openPageToken(directory)).toBe(token);
  expect(statSync(path.join(directory, "page-token")).mode & 0o777).toBe(0o600);
});

test("an exchange is shown as under way from its first word to its last, and not before as done", () => {
  let passedMs = 0;
  const clock = { nowMs: () => 0, monotonicMs: () => passedMs };
  const listeners: ((event: SyncEvent) => void)[] = [];
  const tell = (event: SyncEvent): void => listeners[0]!(event);
  const on = ((_name: "sync", listener: typeof tell) => {
    listeners.push(listener);
    return () => undefined;
  }) as never;
  const names = new Map([[1, "Bo"]]);
  const progress = new PeerProgress({ nameOf: (key) => names.get(key), on }, clock);
  expect(progress.of("Bo")).toBeUndefined();
  tell({ name: "session.live", peer: 1, store: "" as never });
  expect(progress.of("Bo")).toBe("comparing");
  const some = { documentsDone: 1, documentsTotal: 2, envelopesToSend: 0, envelopesToReceive: 0 };
  const counts = { isFirst: true, documentsWanted: 1, documentsReceived: 1 };
  const underWay = { ...some, ...counts, bytesSent: 0, bytesReceived: 9 };
  tell({ name: "sync.progress", peer: 1, progress: underWay });
  passedMs += 60_000;
  expect(progress.of("Bo")).toEqual(underWay);
  // A portion is done, and the next one comes.
  tell({ name: "sync.progress", peer: 1, progress: { ...underWay, documentsDone: 2 } });
  expect(progress.of("Bo")).toMatchObject({ documentsDone: 2 });
  passedMs += 60_000;
  expect(progress.of("Bo")).toBe("done");
  tell({ name: "session.live", peer: 1, store: "" as never });
  passedMs += 60_000;
  expect(progress.of("Bo")).toBe("done");
  names.clear();
  expect(progress.of("Bo")).toBeUndefined();
});
