import { httpTransport } from "@heddle/client/http";
import { expect, test } from "vitest";

import { honestPairWorks, reached } from "./honest-pair.ts";
import { PeeredRelay } from "../integration/peered-relay.ts";
import { until } from "../integration/stock-client.ts";
import { from, RawClient } from "./raw-client.ts";

// Goal: what strangers do with the requests of the heddle wire costs the relay little, and others nothing.
// Method: they come as if through a proxy, from addresses of their own; honest people work from this one.

const wire = "/heddle/1/sessions";
const mallory = from("203.0.113.6").headers!;

function ask(it: PeeredRelay, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(it.relay.url + path, { ...init, headers: { ...mallory, ...init.headers } });
}

async function openSession(it: PeeredRelay): Promise<string> {
  const opened = await ask(it, wire, { method: "POST" });
  expect(opened.status).toBe(201);
  return `${wire}/${await opened.text()}`;
}

const work = (it: PeeredRelay, word: string): Promise<void> =>
  honestPairWorks(it, httpTransport({ url: `${it.relay.url}/heddle/1/` }), word);

test("[RLY-11][RLY-19] many sessions from one address: so many, at such a rate, and gone when unused", async () => {
  const knocking = { upgradesPerAddressPerSecond: 1, upgradesPerAddressBurst: 12 };
  const limits = { connectionsPerAddressMax: 5, ...knocking, httpIdleMs: 2_000 };
  await using it = await PeeredRelay.start({ trustProxy: true, limits });
  const knocks = await Promise.all(
    Array.from({ length: 40 }, () => ask(it, wire, { method: "POST" })),
  );
  const statuses = knocks.map(({ status }) => status);
  expect(statuses.filter((status) => status === 201)).toHaveLength(5);
  expect(statuses.filter((status) => status === 429)).toHaveLength(35);
  expect(reached(it, "connectionsPerAddressMax")).toBeGreaterThan(0);
  expect(reached(it, "upgradesPerAddressPerSecond")).toBeGreaterThan(0);
  await work(it, "in between");
  await until(() => it.relay.http!.open === 0, "sessions that nobody uses are given up");
  expect(reached(it, "httpIdleMs")).toBeGreaterThanOrEqual(5);
  await until(() => it.peers.sessionCount === 0, "and with them what was behind them");
});

test("[RLY-13][RLY-19] half-sent bodies, by the byte or claimed to be giant, end their session alone", async () => {
  const limits = { requestMsMax: 400 };
  await using it = await PeeredRelay.start({ trustProxy: true, limits });
  const half: RawClient[] = [];
  for (const claim of ["Content-Length: 200000", "Transfer-Encoding: chunked"]) {
    const session = await openSession(it);
    const raw = await RawClient.dial(it.url);
    raw.write(`POST ${session}/up?n=0 HTTP/1.1\r\nHost: relay\r\n${claim}\r\n\r\n`);
    half.push(raw);
  }
  const dripping = setInterval(() => {
    half[0]!.write(Uint8Array.of(0));
    half[1]!.write("1\r\n\0\r\n");
  }, 10);
  try {
    await work(it, "meanwhile");
    for (const raw of half) expect(await raw.answered()).toBe(408);
  } finally {
    clearInterval(dripping);
  }
  const session = await openSession(it);
  using giant = await RawClient.dial(it.url);
  const length = `Content-Length: ${2 ** 40}`;
  giant.write(`POST ${session}/up?n=0 HTTP/1.1\r\nHost: relay\r\n${length}\r\n\r\n`);
  expect(await giant.answered()).toBe(413);
  expect(reached(it, "requestMsMax")).toBe(2);
  expect(it.relay.http!.badBodies).toBe(3);
  for (const raw of half) raw[Symbol.dispose]();
});

test("[RLY-11][RLY-19] polling without end and asking for sessions that are not there run into a rate", async () => {
  const limits = { requestsPerAddressPerSecond: 1, requestsPerAddressBurst: 100 };
  await using it = await PeeredRelay.start({ trustProxy: true, limits });
  const session = await openSession(it);
  const seen = new Map<number, number>();
  const note = ({ status }: Response): void => void seen.set(status, (seen.get(status) ?? 0) + 1);
  for (let n = 0; n < 60; n++) note(await ask(it, `${session}/down?n=${n}&wait=0`));
  for (let guess = 0; guess < 60; guess++) {
    note(await ask(it, `${wire}/${guess.toString(16).padStart(32, "0")}/down?n=0`));
  }
  expect(seen.get(404)).toBeGreaterThan(20);
  expect(seen.get(429)).toBeGreaterThan(0);
  expect(reached(it, "requestsPerAddressPerSecond")).toBe(seen.get(429));
  expect(it.relay.http!.strays).toBe(seen.get(404));
  await work(it, "undisturbed");
});
