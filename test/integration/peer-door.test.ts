import { webSocketTransport } from "@heddle/client";
import { HeddleErrorCode } from "@heddle/core";
import { wireLimits, type ConnectionEnd } from "@heddle/sync";
import { expect, test } from "vitest";
import { WebSocket } from "ws";

import { PeeredRelay } from "./peered-relay.ts";
import { connect, synced, until } from "./stock-client.ts";

// Goal: the door for replicas lets in who may come, says why to who may not, and strangers with bad
// manners end their own connection and nothing else.

function dial(url: string, token?: string) {
  const transport = webSocketTransport({ url, WebSocket, ...(token && { token }) });
  return transport.dial(new AbortController().signal);
}

async function endAfter(url: string, ...frames: readonly Uint8Array[]): Promise<ConnectionEnd> {
  const connection = await dial(url);
  return new Promise((resolve) => {
    connection.listen({ onMessage: () => undefined, onDrain: () => undefined, onClosed: resolve });
    for (const frame of frames) connection.send(frame);
  });
}

test("[RLY-7] a replica without the token is told so, and one with it is let in", async () => {
  await using open = await PeeredRelay.start({ access: { token: "secret" } });
  const refused = { code: HeddleErrorCode.sessionRefused };
  await expect(dial(open.url)).rejects.toMatchObject(refused);
  await expect(dial(open.url, "wrong")).rejects.toMatchObject(refused);
  const connection = await dial(open.url, "secret");
  await until(() => open.peers.sessionCount === 1, "it is in");
  connection.close(HeddleErrorCode.sessionClosed);
  await until(() => open.peers.sessionCount === 0, "it has left");
});

test("[RLY-7] a page without the token is told why: a browser would not show it the status of a refusal", async () => {
  await using open = await PeeredRelay.start({ access: { token: "secret" } });
  const socket = new WebSocket(open.url, ["heddle.1"], { origin: "https://notes.example" });
  const heard: unknown[] = [];
  socket.on("message", (message) => heard.push(message));
  const closed = new Promise((resolve) => {
    socket.on("close", (code, reason) => resolve([code, reason.toString()]));
  });
  expect(await closed).toEqual([
    4403,
    `${HeddleErrorCode.sessionRefused} the token is missing or wrong`,
  ]);
  expect([heard, open.peers.sessionCount]).toEqual([[], 0]);
});

test("[WIR-3] somebody who speaks only a later version is told so", async () => {
  await using open = await PeeredRelay.start();
  const socket = new WebSocket(open.url, ["heddle.2"]);
  const status = await new Promise((resolve) => {
    socket.on("unexpected-response", (_request, response) => resolve(response.statusCode));
    socket.on("error", () => undefined);
  });
  expect(status).toBe(426);
});

test("[WIR-2] garbage, silence and too much end a connection with a code, and nobody else's", async () => {
  await using open = await PeeredRelay.start();
  using client = connect(open.url, "notes");
  await synced(client);
  const garbage = Uint8Array.from({ length: 1_000 }, (_, index) => (index * 7) % 256);
  const bad: readonly Uint8Array[][] = [
    [garbage],
    [Uint8Array.of(2, 3, 64)],
    [new Uint8Array(wireLimits.frameBytesMax)],
    [Uint8Array.of(1), Uint8Array.of(1)],
  ];
  for (const frames of bad) {
    const end = await endAfter(open.url, ...frames);
    expect(end.code, `after ${frames.length} frames`).toMatch(/^HEDDLE_(?:FRAME|PROTOCOL)_/);
  }
  const socket = new WebSocket(open.url, ["heddle.1"]);
  socket.on("error", () => undefined);
  const code = new Promise((resolve) => socket.on("close", resolve));
  socket.on("open", () => socket.send(new Uint8Array(wireLimits.frameBytesMax + 1)));
  expect(await code).toBe(1009);
  await until(() => open.peers.sessionCount === 0, "all of them are gone");
  client.text.insert(0, "still here");
  using other = connect(open.url, "notes");
  await until(() => other.text.toString() === "still here", "stock clients have noticed nothing");
});
