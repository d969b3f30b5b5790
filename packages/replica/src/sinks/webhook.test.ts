import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { HeddleErrorCode, toHex } from "@heddle/core";
import {
  defineSink,
  MemoryProjectionDisk,
  MemoryProjectionStore,
  type SourceChange,
} from "@heddle/reconcile";
import { MemorySource, testEnvironment } from "@heddle/testkit";
import { expect, test } from "vitest";

import { SinkRunner } from "./sink-runner.ts";
import { webhook } from "./webhook.ts";

type Answer = (response: ServerResponse) => void;

const status =
  (code: number): Answer =>
  (response) =>
    void response.writeHead(code).end("some text");

const hang: Answer = () => undefined;
const hangUp: Answer = (response) => void response.socket?.destroy();
const redirect: Answer = (response) => void response.writeHead(307, { location: "/other" }).end();

/** An HTTP server that answers as it is told, and with 204 afterwards. */
async function serve(answers: Answer[]) {
  const requests: { readonly key: unknown; readonly body: string; readonly path: unknown }[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      requests.push({ key: request.headers["idempotency-key"], body, path: request.url });
      (answers.shift() ?? status(204))(response);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

// Goal: whatever a server does, each change comes to it under one key until it has taken it, and nowhere else.
// Method: a real server that fails, hangs, hangs up, sends elsewhere, refuses, and is well again.
test("[PRJ-14] a webhook against a server that fails, hangs, hangs up and redirects", async () => {
  const answers = [status(500), hang, hangUp, redirect, status(503), status(200), status(422)];
  await using server = await serve(answers);
  const environment = testEnvironment("webhook");
  const { hash, random, clock } = environment;
  const source = new MemorySource(hash, random);
  for (let likes = 0; likes < 3; likes++) source.edit("a", { likes });
  const store = await MemoryProjectionStore.open(new MemoryProjectionDisk(), clock);
  const deliver = webhook({ url: server.url, answerMsMax: 500 });
  const sink = defineSink({ name: "hook", owner: "tests", deliver });
  const runner = new SinkRunner({ sink, store, source, environment });
  for (let turn = await runner.turn(); turn.name !== "idle"; turn = await runner.turn()) {
    if (turn.name === "waiting") clock.advance(turn.dueMs - clock.monotonicMs());
  }
  expect(runner.counters).toMatchObject({ failed: 5, delivered: 2, dead: 1 });
  const keys = server.requests.map(({ key }) => key);
  // Six times the first, then the one that is refused, then the last.
  expect(new Set(keys.slice(0, 6)).size).toBe(1);
  expect(new Set(keys).size).toBe(3);
  expect(keys).toHaveLength(8);
  expect(new Set(server.requests.map(({ path }) => path))).toEqual(new Set(["/hook"]));
  expect(JSON.parse(server.requests[0]!.body)).toMatchObject({
    id: keys[0],
    document: "a",
    seq: 1,
  });
  expect(await runner.dead.list(10)).toMatchObject([
    { id: keys[6], change: { reason: "status 422", attempts: 1 } },
  ]);
});

test("a webhook tells what an answer means, why there was none, and refuses what is no address", async () => {
  const environment = testEnvironment("statuses");
  const source = new MemorySource(environment.hash, environment.random);
  const document = source.edit("a", { likes: 1 }, { wallMs: 5 });
  const reading = await source.readChanges(document.id, new Map());
  if (reading.outcome !== "whole") throw new Error(reading.outcome);
  const [change] = (await reading.changes[Symbol.asyncIterator]().next()).value as SourceChange[];
  const stopping = new AbortController();
  for (const [answer, outcome] of [
    [204, "delivered"],
    [400, "refused"],
    [401, "failed"],
    [429, "failed"],
    [503, "failed"],
  ] as const) {
    await using server = await serve([status(answer)]);
    const deliver = webhook({ url: server.url, headers: { authorization: "Bearer x" } });
    const key = toHex(change!.id);
    expect((await deliver(change!, key, stopping.signal)).outcome).toBe(outcome);
    expect(JSON.parse(server.requests[0]!.body)).toMatchObject({
      id: key,
      atMs: 5,
      update: "eyJsaWtlcyI6MX0=",
    });
  }
  const closed = await serve([]);
  await closed[Symbol.asyncDispose]();
  const nobody = await webhook({ url: closed.url })(change!, "key", stopping.signal);
  expect(nobody).toMatchObject({ outcome: "failed" });
  expect((nobody as { reason: string }).reason).toContain("ECONNREFUSED");
  await using server = await serve([hang]);
  const deliver = webhook({ url: server.url });
  const waiting = deliver(change!, "key", stopping.signal);
  while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  stopping.abort();
  expect(await waiting).toMatchObject({ outcome: "failed" });
  for (const url of ["", "file:///etc/passwd", "example.org"]) {
    expect(() => webhook({ url })).toThrow(
      expect.objectContaining({ code: HeddleErrorCode.projectionInvalid }),
    );
  }
});
