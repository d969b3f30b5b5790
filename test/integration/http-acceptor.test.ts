import { request as httpRequest } from "node:http";

import { httpTransport } from "@heddle/client/http";
import { HeddleErrorCode } from "@heddle/core";
import type { HttpAcceptorOptions } from "@heddle/relay";
import { RecordedEnd } from "@heddle/testkit";
import { afterEach, describe, expect, test, vi } from "vitest";

import { httpSite, type HttpSite } from "./http-site.ts";

// Goal: strangers cost an HTTP acceptor little, and what proxies do to requests ends a session at worst.
// Method: a real server, and requests that no transport of ours would make.

const patience = { timeout: 30_000, interval: 5 };
const signal = new AbortController().signal;
let site: HttpSite;

afterEach(() => site.dispose());

async function start(options: Partial<HttpAcceptorOptions> = {}): Promise<void> {
  site = await httpSite(options);
}

/** A session made by hand, and what the acceptor's host sees of it. */
async function openByHand(): Promise<{ base: string; end: RecordedEnd }> {
  const opened = await fetch(`${site.url}sessions`, { method: "POST" });
  expect(opened.status).toBe(201);
  const base = `${site.url}sessions/${await opened.text()}/`;
  return { base, end: new RecordedEnd(await site.accept()) };
}

function post(url: string, body: string | Uint8Array<ArrayBuffer> = ""): Promise<Response> {
  return fetch(url, { method: "POST", body });
}

const oneFrame = Uint8Array.of(0, 0, 0, 1, 7);

describe("who may open a session", () => {
  test("[TRN-5] is decided by the server, and a refusal reaches the dial with its code", async () => {
    let status = 401;
    await start({
      admit: ({ headers }) => {
        return headers.authorization === "Bearer good" ? () => undefined : status;
      },
    });
    const { url, scheduler } = site;
    const dial = (token: string) => httpTransport({ url, scheduler, token }).dial(signal);
    for (const [next, code] of [
      [401, HeddleErrorCode.sessionRefused],
      [426, HeddleErrorCode.protocolVersion],
      [503, HeddleErrorCode.relayOverloaded],
    ] as const) {
      status = next;
      await expect(dial("bad")).rejects.toMatchObject({ code });
    }
    const connection = new RecordedEnd(await dial("good"));
    connection.connection.close(HeddleErrorCode.sessionClosed);
    await vi.waitFor(() => expect(connection.end).toBeDefined(), patience);
    expect(site.acceptor.counters).toMatchObject({ opened: 1, refused: 3 });
  });

  test("[TRN-3] is bounded by address and by process, and released with each session", async () => {
    let address = "a";
    await start({
      addressOf: () => address,
      limits: { sessionsMax: 3, sessionsPerAddressMax: 2, idleMs: 60_000 },
    });
    const first = await openByHand();
    await openByHand();
    expect((await post(`${site.url}sessions`)).status).toBe(429);
    address = "b";
    await openByHand();
    expect((await post(`${site.url}sessions`)).status).toBe(503);
    expect(site.acceptor.counters).toMatchObject({ opened: 3, full: 2 });
    await post(`${first.base}close`, "1000 ");
    address = "a";
    await openByHand();
    expect(site.acceptor.sessionCount).toBe(3);
  });

  test("pages of other origins are told whether they may", async () => {
    await start({ isOriginAllowed: (origin) => origin === "https://app.example" });
    const ask = (origin: string, method: string) =>
      fetch(`${site.url}sessions`, { method, headers: { origin } });
    expect((await ask("https://evil.example", "POST")).status).toBe(403);
    const preflight = await ask("https://app.example", "OPTIONS");
    expect([preflight.status, preflight.headers.get("access-control-allow-origin")]).toEqual([
      204,
      "https://app.example",
    ]);
    const opened = await ask("https://app.example", "POST");
    expect(opened.status).toBe(201);
    expect(opened.headers.get("cache-control")).toBe("no-store");
    expect(site.acceptor.counters).toMatchObject({ opened: 1, refused: 1 });
  });

  test("[TRN-4] who opens one and goes away is forgotten", async () => {
    await start({ limits: { idleMs: 50 } });
    const { end } = await openByHand();
    const silence = { code: HeddleErrorCode.sessionTimeout, wasPolite: false };
    await vi.waitFor(() => expect(end.end).toMatchObject(silence), patience);
    expect([site.acceptor.sessionCount, site.leftovers()]).toEqual([0, []]);
  });
});

describe("what happens to requests on the way", () => {
  test.each([
    ["a POST comes twice", "up?n=0", "up?n=0"],
    ["a POST is missing", "up?n=0", "up?n=2"],
    ["a POST has no number", "up?n=0", "up"],
  ])("[TRN-1] when %s, nothing is taken twice and the session ends", async (_what, one, two) => {
    await start();
    const { base, end } = await openByHand();
    expect((await post(base + one, oneFrame)).status).toBe(204);
    expect((await post(base + two, oneFrame)).status).toBe(410);
    const told = await fetch(`${base}down?n=0`);
    expect([told.status, await told.text()]).toEqual([
      410,
      expect.stringContaining(HeddleErrorCode.frameUnexpected),
    ]);
    await vi.waitFor(() => expect(end.end).toBeDefined(), patience);
    expect(end.messages).toHaveLength(1);
  });

  test("[TRN-1] when a POST comes before the last is answered, both are, and the session ends", async () => {
    await start();
    const { base, end } = await openByHand();
    end.connection.pause();
    const first = post(`${base}up?n=0`, oneFrame);
    await vi.waitFor(() => expect(end.connection.counters.framesReceived).toBe(1), patience);
    const second = await post(`${base}up?n=1`, oneFrame);
    expect([second.status, (await first).status]).toEqual([410, 204]);
    await vi.waitFor(async () => {
      expect((await fetch(`${base}down?n=0`)).status).toBe(410);
      expect(site.acceptor.sessionCount).toBe(0);
    }, patience);
  });

  test("[TRN-1] when a poll comes twice, the session ends", async () => {
    await start();
    const { base, end } = await openByHand();
    const [first, second] = await Promise.all([fetch(`${base}down?n=0`), fetch(`${base}down?n=0`)]);
    expect([first.status, second.status]).toContain(410);
    await vi.waitFor(() => {
      expect(end.end).toMatchObject({ code: HeddleErrorCode.frameUnexpected });
    }, patience);
  });

  test("[TRN-4] when a poll is cut off, the session ends at once", async () => {
    await start({ limits: { idleMs: 60_000 } });
    const { base, end } = await openByHand();
    const controller = new AbortController();
    const polled = fetch(`${base}down?n=0`, { signal: controller.signal });
    await vi.waitFor(() => expect(site.leftovers()).toContain("request"), patience);
    controller.abort();
    await expect(polled).rejects.toThrow("aborted");
    const cut = { code: HeddleErrorCode.sessionClosed, wasPolite: false };
    await vi.waitFor(() => expect(end.end).toMatchObject(cut), patience);
    expect(site.acceptor.sessionCount).toBe(0);
  });

  test("[TRN-5] when a proxy answers instead, the connection ends and is no news of the relay", async () => {
    await start();
    let isProxyWell = true;
    const { url, scheduler } = site;
    const transport = httpTransport({
      url,
      scheduler,
      pollMs: 50,
      fetch: async (address, init) => {
        const answered = await fetch(address, init);
        return isProxyWell ? answered : new Response("<html>Bad gateway", { status: 502 });
      },
    });
    const dialer = new RecordedEnd(await transport.dial(signal));
    isProxyWell = false;
    const end = { code: HeddleErrorCode.sessionClosed, wasPolite: false };
    await vi.waitFor(() => expect(dialer.end).toMatchObject(end), patience);
    isProxyWell = true;
    await vi.waitFor(() => expect(site.leftovers()).toEqual([]), patience);
  });
});

describe("bodies", () => {
  test("[TRN-2] that say they are too large are refused unread", async () => {
    await start();
    const { base, end } = await openByHand();
    const status = await new Promise((resolve, reject) => {
      const headers = { "content-length": String(1024 * 1024 * 1024) };
      const sent = httpRequest(`${base}up?n=0`, { method: "POST", headers }, (response) => {
        resolve(response.statusCode);
        sent.destroy();
      });
      sent.on("error", reject);
      sent.flushHeaders();
    });
    expect(status).toBe(413);
    await fetch(`${base}down?n=0`);
    await vi.waitFor(() => {
      expect(end.end).toMatchObject({ code: HeddleErrorCode.frameTooLarge });
    }, patience);
    expect(site.acceptor.counters.badBodies).toBe(1);
  });

  test("[TRN-6] that drip in are cut off", async () => {
    await start({ limits: { requestMsMax: 100, idleMs: 60_000 } });
    const { base, end } = await openByHand();
    const status = await new Promise((resolve, reject) => {
      const sent = httpRequest(`${base}up?n=0`, { method: "POST" }, (response) => {
        resolve(response.statusCode);
        sent.destroy();
      });
      sent.on("error", reject);
      sent.write(Uint8Array.of(0));
    });
    expect(status).toBe(408);
    await fetch(`${base}down?n=0`);
    await vi.waitFor(() => {
      expect(end.end).toMatchObject({ code: HeddleErrorCode.sessionTimeout });
    }, patience);
  });

  test("[TRN-2] that are no batch end the session with a code", async () => {
    await start();
    const { base, end } = await openByHand();
    const answered = await post(`${base}up?n=0`, Uint8Array.of(0, 0, 0, 9, 1));
    expect(await answered.text()).toContain(HeddleErrorCode.frameMalformed);
    await fetch(`${base}down?n=0`);
    await vi.waitFor(() => {
      expect(end.end).toMatchObject({ code: HeddleErrorCode.frameMalformed });
    }, patience);
    expect(end.messages).toEqual([]);
  });
});

test("requests that lead nowhere are answered and counted, and others are left to others", async () => {
  await start();
  const strays = [
    "",
    "sessions/",
    "sessions/x/up",
    `sessions/${"0".repeat(32)}/up`,
    "sessions/a/b/c",
  ];
  for (const path of strays) expect((await fetch(site.url + path)).status).toBe(404);
  const { base } = await openByHand();
  for (const [path, method] of [
    ["up", "GET"],
    ["down", "POST"],
    ["other", "POST"],
  ] as const) {
    expect((await fetch(base + path, { method })).status).toBe(404);
  }
  expect(site.acceptor.counters.strays).toBe(strays.length + 3);
  await post(`${base}close`, "no words");
  expect((await fetch(new URL("/page", site.url))).status).toBe(404);
  expect(site.acceptor.counters.strays).toBe(strays.length + 3);
});
