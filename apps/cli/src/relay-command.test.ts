import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

import { main } from "./main.ts";

interface RunningCommand extends AsyncDisposable {
  readonly url: string;
  readonly adminUrl: string;
  readonly log: readonly Record<string, unknown>[];
  stop(): Promise<number>;
}

/** `heddle relay` in this process, with everything it writes. */
async function runRelay(...flags: string[]): Promise<RunningCommand> {
  const data = await mkdtemp(path.join(tmpdir(), "heddle-command-"));
  const stopping = new AbortController();
  const log: Record<string, unknown>[] = [];
  let ended: Promise<number> | undefined;
  const listening = new Promise<{ url: string; adminUrl: string }>((resolve, reject) => {
    const io = {
      out: (line: string) => resolve(JSON.parse(line)),
      err: (line: string) => log.push(JSON.parse(line)),
      isTTY: false,
    };
    const ports = ["--port", "0", "--admin-port", "0", "--data", data, "--json"];
    ended = main(["relay", ...ports, ...flags], io, stopping.signal);
    ended.then(() => reject(new Error("the relay ended")), reject);
  });
  const { url, adminUrl } = await listening;
  const stop = (): Promise<number> => {
    stopping.abort();
    return ended!;
  };
  return {
    url,
    adminUrl,
    log,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(data, { recursive: true, force: true });
    },
  };
}

function connect(url: string, name: string, token?: string): WebsocketProvider {
  return new WebsocketProvider(url.replace("http", "ws"), name, new Y.Doc(), {
    // The polyfill is what Node needs; its type has more in it than the provider uses.
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
    maxBackoffTime: 100,
    params: token === undefined ? {} : { token },
  });
}

async function until(condition: () => boolean): Promise<void> {
  const startedMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedMs > 10_000) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("[OPS-5] told to stop, the relay is not ready first, still serves, and then drains", async () => {
  await using relay = await runRelay("--drain-delay", "2000");
  expect((await fetch(`${relay.adminUrl}/readyz`)).status).toBe(200);
  const stopped = relay.stop();
  const answer = await fetch(`${relay.adminUrl}/readyz`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ reasons: [{ reason: "draining" }] });
  const late = connect(relay.url, "notes");
  await until(() => late.synced);
  late.doc.getText("text").insert(0, "in the last moment");
  expect(await stopped).toBe(0);
  late.destroy();
  await expect(fetch(`${relay.adminUrl}/healthz`)).rejects.toThrow("fetch failed");
});

test("[OPS-4] at level info the log says which connection and document, and no name or token", async () => {
  await using relay = await runRelay("--log-level", "info", "--token", "s3cr3t");
  const ada = connect(relay.url, "the-name-of-it", "s3cr3t");
  await until(() => ada.synced);
  ada.doc.getText("text").insert(0, "what-is-written");
  const mallory = connect(relay.url, "the-name-of-it", "wr0ng-guess");
  await until(() => relay.log.some(({ event }) => event === "connection.refused"));
  ada.destroy();
  mallory.destroy();
  await relay.stop();
  const eventsOf = (connection: number): unknown[] => {
    return relay.log.filter((line) => line["connection"] === connection).map(({ event }) => event);
  };
  expect(eventsOf(1)).toEqual(["connection.entered", "connection.closed"]);
  expect(eventsOf(2)).toEqual(["connection.refused", "connection.closed"]);
  const entered = relay.log.find(({ event }) => event === "connection.entered");
  expect(entered?.["document"]).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set(relay.log.map(({ run }) => run)).size).toBe(1);
  const text = JSON.stringify(relay.log);
  const said = ["the-name-of-it", "what-is-written", "s3cr3t", "wr0ng-guess"];
  expect(said.filter((word) => text.includes(word))).toEqual([]);
});

test("[OPS-4] at level debug a document's name is said once it is opened", async () => {
  await using relay = await runRelay("--log-level", "debug");
  const ada = connect(relay.url, "the-name-of-it");
  await until(() => ada.synced);
  ada.destroy();
  const named = relay.log.filter((line) => JSON.stringify(line).includes("the-name-of-it"));
  expect(named.map(({ level, event }) => [level, event])).toEqual([["debug", "document.named"]]);
});

test("[OPS-6] at the default log level a peer that is not there, and one that refuses, are told once", async () => {
  await using other = await runRelay("--token", "s3cr3t");
  const refusing = other.url.replace("http", "ws");
  // Nothing listens on the port of discarded data.
  const missing = "ws://127.0.0.1:9";
  await using relay = await runRelay("--peer", missing, "--peer", `${refusing}?token=wr0ng`);
  const events = (): unknown[] => relay.log.map(({ event }) => event);
  await until(() => events().includes("peer.lost") && events().includes("peer.refused"));
  expect(relay.log.find(({ event }) => event === "peer.lost")).toMatchObject({
    level: "warn",
    peer: `${missing}/`,
    wasLive: false,
  });
  expect(relay.log.find(({ event }) => event === "peer.refused")).toMatchObject({
    level: "warn",
    peer: `${refusing}/`,
    code: "HEDDLE_SESSION_REFUSED",
  });
  expect(JSON.stringify(relay.log)).not.toContain("wr0ng");
});

test("[WIR-15][OPS-6] relays peer over plain HTTP, and a wrong token is refused without being shown", async () => {
  await using other = await runRelay("--token", "s3cr3t");
  await using relay = await runRelay("--peer", `${other.url}?token=s3cr3t`);
  const [ada, bo] = [connect(relay.url, "notes"), connect(other.url, "notes", "s3cr3t")];
  const [here, there] = [ada, bo].map(({ doc }) => doc.getText("text"));
  here!.insert(0, "here ");
  await until(() => there!.toJSON() === "here ");
  there!.insert(5, "and there");
  await until(() => here!.toJSON() === "here and there");
  for (const client of [ada, bo]) client.destroy();

  await using refused = await runRelay("--peer", `${other.url}?token=wr0ng`);
  await until(() => refused.log.some(({ event }) => event === "peer.refused"));
  const said = refused.log.find(({ event }) => event === "peer.refused");
  expect(said).toMatchObject({ peer: `${other.url}/`, code: "HEDDLE_SESSION_REFUSED" });
  expect(JSON.stringify(refused.log)).not.toContain("wr0ng");
});

test.each([
  "ftp://other",
  "http://ada:pass@other",
  "https://other?tokens=pass",
  "http://other#pass",
  "other",
])("[OPS-6] %s is no peer, and no secret in it is shown", async (peer) => {
  const errors: string[] = [];
  const io = { out: () => undefined, err: (line: string) => errors.push(line), isTTY: false };
  const data = await mkdtemp(path.join(tmpdir(), "heddle-command-"));
  const flags = ["--port", "0", "--data", data, "--peer", peer];
  expect(await main(["relay", ...flags], io, new AbortController().signal)).toBe(2);
  expect(errors.join()).toContain("HEDDLE_CONFIG_INVALID");
  expect(errors.join()).not.toContain("pass");
  await rm(data, { recursive: true, force: true });
});

test("without --admin-port there is no admin port", async () => {
  const stopping = new AbortController();
  const data = await mkdtemp(path.join(tmpdir(), "heddle-command-"));
  const lines: string[] = [];
  const out = (line: string): void => {
    lines.push(line);
    stopping.abort();
  };
  const io = { out, err: () => undefined, isTTY: false };
  const flags = ["--port", "0", "--data", data, "--json"];
  expect(await main(["relay", ...flags], io, stopping.signal)).toBe(0);
  expect(JSON.parse(lines[0]!)).not.toHaveProperty("adminUrl");
  await rm(data, { recursive: true, force: true });
});

test("[OPS-1] an admin port that other machines reach is wrong usage without a token", async () => {
  const complaints: string[] = [];
  const io = { out: () => undefined, err: (line: string) => complaints.push(line), isTTY: false };
  const flags = ["--admin-port", "0", "--admin-host", "0.0.0.0"];
  expect(await main(["relay", ...flags], io, AbortSignal.abort())).toBe(2);
  expect(complaints.join()).toContain("--admin-token SECRET");
});

test("[RLY-7] a limit that does not exist is wrong usage, before anything is touched", async () => {
  const complaints: string[] = [];
  const io = { out: () => undefined, err: (line: string) => complaints.push(line), isTTY: false };
  const data = path.join(tmpdir(), "heddle-never-made");
  const flags = ["--data", data, "--limit", "messagesBurst=9", "--limit", "mesagesBurst=9"];
  expect(await main(["relay", ...flags], io, AbortSignal.abort())).toBe(2);
  expect(complaints.join()).toContain("--limit mesagesBurst=9: there is no limit of that name");
  expect(existsSync(data)).toBe(false);
});

test("[RLY-11] limits of one address hold here when --limit-loopback says so", async () => {
  const few = ["--limit", "connectionsPerAddressMax=1"];
  for (const [flags, expected] of [
    [few, 2],
    [[...few, "--limit-loopback"], 1],
  ] as const) {
    await using relay = await runRelay(...flags);
    const clients = [connect(relay.url, "one"), connect(relay.url, "two")];
    await until(() => clients.some(({ synced }) => synced));
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(clients.filter(({ synced }) => synced).length).toBe(expected);
    for (const client of clients) client.destroy();
  }
});
