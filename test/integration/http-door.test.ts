import { httpTransport } from "@heddle/client/http";
import { HeddleErrorCode } from "@heddle/core";
import { RecordedEnd } from "@heddle/testkit";
import { expect, test } from "vitest";

import { RawClient } from "../hostile/raw-client.ts";
import { PeeredRelay } from "./peered-relay.ts";
import { connect, synced, until } from "./stock-client.ts";

// Goal: what comes by requests passes the same door as what comes by upgrades, and leaves it as cleanly.

const pathOfWire = "/heddle/1/";
const token = "s3cr3t";

function dial({ relay }: PeeredRelay, secret?: string) {
  const url = relay.url + pathOfWire;
  return httpTransport({ url, pollMs: 200, ...(secret && { token: secret }) }).dial(
    new AbortController().signal,
  );
}

function open({ relay }: PeeredRelay, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${relay.url}${pathOfWire}sessions`, { method: "POST", headers });
}

const reached = ({ relay }: PeeredRelay, limit: string): number =>
  (relay.counters.limited as ReadonlyMap<string, number>).get(limit) ?? 0;

test("[RLY-7][RLY-19] the token and the origin are asked for, and a right one is let in", async () => {
  const allowOrigins = ["https://app.example"];
  await using it = await PeeredRelay.start({ access: { token, allowOrigins } });
  const refused = { code: HeddleErrorCode.sessionRefused };
  await expect(dial(it)).rejects.toMatchObject(refused);
  await expect(dial(it, "wrong")).rejects.toMatchObject(refused);
  const page = { authorization: `Bearer ${token}`, origin: "https://evil.example" };
  expect((await open(it, page)).status).toBe(403);
  expect(it.relay.counters).toMatchObject({ originsRefused: 1, upgradesRefused: 3 });
  const app = await open(it, { ...page, origin: "https://app.example" });
  expect([app.status, app.headers.get("access-control-allow-origin")]).toEqual([
    201,
    "https://app.example",
  ]);
  const connection = await dial(it, token);
  await until(() => it.peers.sessionCount === 2, "it is in");
  connection.close(HeddleErrorCode.sessionClosed);
  await until(() => it.peers.sessionCount === 1, "it has left");
  expect(it.relay.http).toMatchObject({ opened: 2, refused: 3, open: 1 });
});

test("[RLY-11][RLY-19] a session is one connection of its address, and makes room when it ends", async () => {
  const limits = { limitLoopback: true, connectionsPerAddressMax: 2 };
  await using it = await PeeredRelay.start({ limits });
  using socket = await RawClient.upgrade(it.url);
  expect(socket.status).toBe(101);
  const first = await open(it);
  const path = `${it.relay.url}${pathOfWire}sessions/${await first.text()}`;
  expect(first.status).toBe(201);
  const second = await open(it);
  expect([second.status, second.headers.get("retry-after")]).toEqual([429, "5"]);
  expect((await RawClient.upgrade(it.url)).status).toBe(429);
  expect(reached(it, "connectionsPerAddressMax")).toBe(2);
  await fetch(`${path}/close`, { method: "POST", body: "1000 " });
  expect((await open(it)).status).toBe(201);
});

test("[RLY-11][RLY-19] over its memory, its sessions or while it drains the relay takes no new session", async () => {
  let memoryBytes = 1;
  const limits = { memoryBytesMax: 1_000, httpSessionsMax: 1 };
  await using it = await PeeredRelay.start({ limits, readMemory: () => memoryBytes });
  memoryBytes = 2_000;
  await until(() => it.relay.overloadedBy === "memoryBytesMax", "it is over its memory");
  expect((await open(it)).status).toBe(503);
  expect(reached(it, "memoryBytesMax")).toBe(1);
  memoryBytes = 1;
  await until(() => it.relay.overloadedBy === undefined, "it has room");
  const connection = new RecordedEnd(await dial(it));
  expect((await open(it)).status).toBe(503);
  expect(reached(it, "httpSessionsMax")).toBe(1);
  // A knock after the drain began: on a socket from before, because the port is closed.
  using late = await RawClient.dial(it.url);
  const drained = it.relay.drain();
  late.write(`POST ${pathOfWire}sessions HTTP/1.1\r\nHost: relay\r\nContent-Length: 0\r\n\r\n`);
  expect([0, 503]).toContain(await late.answered());
  await until(() => connection.end !== undefined, "it is told");
  expect(connection.end).toMatchObject({ code: HeddleErrorCode.relayDraining, wasPolite: true });
  await drained;
  expect(it.relay.http?.open).toBe(0);
});

test("[RLY-19] where no replica is let in there is no such path, and pages are beside it", async () => {
  await using it = await PeeredRelay.start({ peers: undefined });
  expect((await open(it)).status).toBe(405);
  expect(it.relay.http).toBeUndefined();
  await using other = await PeeredRelay.start();
  expect((await fetch(other.relay.url)).status).toBe(200);
  using client = connect(other.url, "heddle/1/sessions");
  await synced(client);
});
