import { once } from "node:events";

import { webSocketTransport } from "@heddle/client";
import { HeddleErrorCode, MemoryDisk } from "@heddle/core";
import { pageDoor, type PageDoor } from "@heddle/relay";
import type { LiveReplica } from "@heddle/replica";
import { openReplica } from "@heddle/replica/node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";

import { memoryStore } from "./relay-under-test.ts";
import { until } from "./stock-client.ts";

// Goal: a program that embeds a replica lets pages in as `heddle peer` does, and nobody else.
// Method: a replica with a door, replicas and bare WebSockets that come to it; pages are in test/e2e.

const origin = "https://notes.example";
const token = "a token of 24 characters";

let door: PageDoor;
let replica: LiveReplica;
let release: () => Promise<void>;
beforeEach(async () => {
  door = pageDoor({ port: 0, token, allowOrigins: [origin, "app://notes"] });
  const store = await memoryStore(new MemoryDisk());
  replica = await openReplica({ store, peers: [door], follow: true });
  release = async () => {
    await replica.close();
    await store.close();
  };
});
afterEach(() => release());

/** How a WebSocket ends that offers these subprotocols: a close code, or an HTTP status. */
function endOf(protocols: readonly string[], from?: string, query = ""): Promise<unknown> {
  const options = from === undefined ? {} : { origin: from };
  const socket = new WebSocket(`${door.status.url}/${query}`, [...protocols], options);
  return new Promise((resolve) => {
    socket.on("unexpected-response", (_request, { statusCode }) => resolve(statusCode));
    socket.on("close", (code) => resolve(code));
    socket.on("error", () => undefined);
  });
}

test("[LAN-11] an embedded replica lets in who knows the token, and both have what either writes", async () => {
  const transport = webSocketTransport({ url: door.status.url!, WebSocket, token });
  const store = await memoryStore(new MemoryDisk());
  const page = await openReplica({ store, peers: [{ name: "peer", transport }] });
  const [there, here] = [await page.open("notes"), await replica.open("notes")];
  there.ydoc.getText("text").insert(0, "from the page");
  await there.whenReplicated(1);
  await until(() => here.ydoc.getText("text").toJSON() === "from the page", "it is here");
  here.ydoc.getText("text").insert(0, "read ");
  await until(() => there.ydoc.getText("text").toJSON() === "read from the page", "it is there");
  expect(door.status).toMatchObject({ open: 1, accepted: 1, refused: 0 });
  await page.close();
  await store.close();
  await until(() => door.status.open === 0, "it has left");
});

test("[LAN-11] others are refused: pages in words that a page can read, programs by HTTP", async () => {
  const query = `?token=${encodeURIComponent(token)}`;
  expect(await endOf(["heddle.1"], "https://evil.example", query)).toBe(4403);
  expect(await endOf(["heddle.1"], origin)).toBe(4403);
  expect(await endOf(["heddle.1"])).toBe(401);
  // A page that was let in would speak y-websocket here, which nobody does.
  expect(await endOf(["y-websocket"], origin, query)).toBe(426);
  const url = door.status.url!.replace("ws", "http");
  expect((await fetch(url)).status).toBe(426);
  expect(door.status).toMatchObject({ accepted: 0, originsRefused: 1, refused: 4 });
});

test("[LAN-11] a page that knocks without end is told to come later", async () => {
  const knocks = await Promise.all(Array.from({ length: 60 }, () => endOf(["heddle.1"], origin)));
  expect(knocks).toContain(429);
});

test("[LAN-11] whoever may not come in and knocks without end keeps nobody out who may", async () => {
  const query = `?token=${encodeURIComponent(token)}`;
  const strangers = [
    () => endOf(["heddle.1"], "https://evil.example", query),
    () => endOf(["heddle.1"], origin, "?token=guessed"),
    () => endOf(["heddle.1"]),
  ];
  const knocks = await Promise.all(Array.from({ length: 60 }, (_, i) => strangers[i % 3]!()));
  expect(knocks).toContain(429);
  const page = new WebSocket(`${door.status.url}/${query}`, ["heddle.1"], { origin });
  await once(page, "open");
  expect(door.status).toMatchObject({ open: 1, accepted: 1 });
  page.close();
  const ofApplication = { origin: "app://notes" };
  const window = new WebSocket(`${door.status.url}/${query}`, ["heddle.1"], ofApplication);
  await once(window, "open");
  window.close();
});

test.each([
  ["without a token", { token: "" }],
  ["with a token that can be guessed", { token: "fifteen letters" }],
  ["with a token that no address can carry", { token: "x".repeat(257) }],
  ["without origins", { allowOrigins: [] }],
  ["for all origins", { allowOrigins: ["*"] }],
  ["for an address", { allowOrigins: ["https://notes.example/app"] }],
  ["for files", { allowOrigins: ["file://"] }],
])("[LAN-11] a door %s is none", (_what, options) => {
  const refused = expect.objectContaining({ code: HeddleErrorCode.configInvalid });
  expect(() => pageDoor({ port: 0, token, allowOrigins: [origin], ...options })).toThrow(refused);
});
