import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";

import type * as Client from "@heddle/client";
import { HeddleErrorCode } from "@heddle/core";
import { HttpAcceptor } from "@heddle/relay";
import { connectionOf, heddleSocketOptions, type Connection } from "@heddle/sync";
import { CountedScheduler, seededRandom } from "@heddle/testkit";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { WebSocketServer } from "ws";

import { launchBrowser, noBrowserReason } from "./browser.ts";

// Goal: the transports do in a browser what they do in Node.
// Method: the built packages in a page, without a bundler; its own WebSocket, fetch and
// BroadcastChannel; acceptors of the relay that send everything back.

const root = fileURLToPath(new URL("../..", import.meta.url));
const imports = {
  "@heddle/core": "/packages/core/dist/index.js",
  "@heddle/core/base": "/packages/core/dist/base-index.js",
  "@heddle/sync/connection": "/packages/sync/dist/connection-index.js",
  ...Object.fromEntries(
    Object.entries({
      "broadcast-channel": "broadcast-channel-transport",
      http: "http-transport",
      websocket: "web-socket-transport",
    }).map(([entry, file]) => [`@heddle/client/${entry}`, `/packages/client/dist/${file}.js`]),
  ),
  ...Object.fromEntries(
    ["encoding", "decoding", "string"].map((name) => [
      `lib0/${name}`,
      `/node_modules/lib0/${name}.js`,
    ]),
  ),
};
const html = `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
import * as broadcastChannel from "@heddle/client/broadcast-channel";
import * as http from "@heddle/client/http";
import * as webSocket from "@heddle/client/websocket";
globalThis.client = { ...broadcastChannel, ...http, ...webSocket };
</script>`;
const lastWord = 255;

describe.skipIf(noBrowserReason !== undefined)("transports in Chromium", () => {
  const scheduler = new CountedScheduler();
  let browser: Browser;
  let context: BrowserContext;
  let server: Server;
  let origin: string;

  beforeAll(async () => {
    const acceptor = new HttpAcceptor({
      environment: { scheduler, random: seededRandom("browser") },
      onConnection: echo,
      isOriginAllowed: (asked) => asked === origin,
    });
    server = createServer((request, response) => {
      if (acceptor.handle(request, response)) return;
      void page(request.url ?? "/").then(([type, body]) => {
        response.writeHead(body === undefined ? 404 : 200, { "Content-Type": type }).end(body);
      });
    });
    new WebSocketServer({ server, ...heddleSocketOptions }).on("connection", (socket) => {
      echo(connectionOf(socket, { scheduler }));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await launchBrowser();
    context = await browser.newContext();
  });

  afterAll(async () => {
    await browser?.close();
    server.closeAllConnections();
    server.close();
  });

  async function open(): Promise<Page> {
    const tab = await context.newPage();
    await tab.goto(origin);
    await tab.waitForFunction("globalThis.client !== undefined");
    return tab;
  }

  test.each([
    ["webSocketTransport", "ws", "/"],
    ["httpTransport", "http", "/heddle/1/"],
  ] as const)("[TRN-1, TRN-4] %s carries frames and a refusal", async (maker, scheme, path) => {
    const tab = await open();
    const url = origin.replace("http", scheme) + path;
    const seen = await tab.evaluate(exchange, { maker, options: { url } });
    expect(seen.sizes).toEqual([1, 70_000, 256 * 1024]);
    expect(seen.isUnchanged).toBe(true);
    const end = { code: HeddleErrorCode.sessionRefused, reason: "that will do", wasPolite: true };
    expect(seen.end).toMatchObject(end);
    await vi.waitFor(() => expect(scheduler.pending).toBe(0), { timeout: 30_000 });
    await tab.close();
  });

  test("[TRN-5] webSocketTransport finds nobody and says so", async () => {
    const tab = await open();
    const options = { url: "ws://127.0.0.1:1/" };
    const seen = await tab.evaluate(exchange, { maker: "webSocketTransport" as const, options });
    expect(seen.failed).toBe(HeddleErrorCode.sessionClosed);
    await tab.close();
  });

  test("[TRN-1, TRN-4, TRN-6] two tabs speak with each other, and a closed one is missed", async () => {
    const [accepting, dialing] = [await open(), await open()];
    await accepting.evaluate(acceptInTab);
    const seen = await dialing.evaluate(exchange, {
      maker: "broadcastChannelTransport" as const,
      options: { name: "tabs" },
    });
    expect(seen).toMatchObject({ sizes: [1, 70_000, 256 * 1024], isUnchanged: true });
    expect(seen.end).toMatchObject({ reason: "that will do", wasPolite: true });
    const missed = dialing.evaluate(untilEnd, { name: "tabs", silenceMs: 3_000 });
    await accepting.waitForFunction("globalThis.accepted === 2");
    await accepting.close();
    expect(await missed).toBe(HeddleErrorCode.sessionTimeout);
    await dialing.close();
  });
});

function echo(connection: Connection): void {
  connection.listen({
    onMessage(bytes) {
      if (bytes[0] !== lastWord) return connection.send(bytes);
      return connection.close(HeddleErrorCode.sessionRefused, "that will do");
    },
    onDrain: () => undefined,
    onClosed: () => undefined,
  });
}

async function page(url: string): Promise<[string, (string | Buffer)?]> {
  if (url === "/") return ["text/html", html];
  const file = path.join(root, path.normalize(url));
  if (!/^\/(packages\/\w+\/dist|node_modules\/lib0)\/[\w/.-]+\.js$/.test(url))
    return ["text/plain"];
  return ["text/javascript", await readFile(file)];
}

// What follows runs in the page.

interface PageGlobals {
  readonly client: typeof Client;
  accepted?: number;
}

interface Asked {
  readonly maker: "webSocketTransport" | "httpTransport" | "broadcastChannelTransport";
  readonly options: object;
}

interface Seen {
  readonly sizes?: number[];
  readonly isUnchanged?: boolean;
  readonly end?: unknown;
  readonly failed?: string;
}

async function exchange({ maker, options }: Asked): Promise<Seen> {
  const { client } = globalThis as unknown as PageGlobals;
  const { signal } = new AbortController();
  let connection: Connection;
  try {
    connection = await client[maker](options as never).dial(signal);
  } catch (error) {
    return { failed: (error as { readonly code: string }).code };
  }
  const sent = [1, 70_000, 256 * 1024].map((size) => new Uint8Array(size).fill(size % 251));
  const received: Uint8Array[] = [];
  const end = await new Promise((resolve) => {
    connection.listen({
      onMessage(bytes) {
        received.push(bytes);
        if (received.length === sent.length) connection.send(Uint8Array.of(255));
      },
      onDrain() {},
      onClosed: resolve,
    });
    for (const bytes of sent) connection.send(bytes);
  });
  const isUnchanged = received.every((bytes, index) => {
    return bytes.every((byte) => byte === sent[index]![0]);
  });
  return { sizes: received.map(({ length }) => length), isUnchanged, end };
}

async function acceptInTab(): Promise<void> {
  const { client } = globalThis as unknown as PageGlobals;
  const tab = globalThis as { accepted?: number };
  tab.accepted = 0;
  client.acceptBroadcastChannel({ name: "tabs" }, (connection: Connection) => {
    tab.accepted!++;
    connection.listen({
      onMessage(bytes) {
        if (bytes[0] !== 255) connection.send(bytes);
        else connection.close("HEDDLE_SESSION_REFUSED", "that will do");
      },
      onDrain() {},
      onClosed() {},
    });
  });
}

async function untilEnd(options: Client.BroadcastChannelOptions): Promise<string> {
  const { client } = globalThis as unknown as PageGlobals;
  const { signal } = new AbortController();
  const connection: Connection = await client.broadcastChannelTransport(options).dial(signal);
  return new Promise((resolve) => {
    connection.listen({ onMessage() {}, onDrain() {}, onClosed: ({ code }) => resolve(code) });
  });
}
