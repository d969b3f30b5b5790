import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { defineSink, MemoryProjectionDisk, MemoryProjectionStore } from "@heddle/reconcile";
import { collect, MemorySource, testEnvironment } from "@heddle/testkit";
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
  const deliver = webhook({ url: server.url, answerMsMax: 2_000 });
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
  const dead = await collect(runner.readDead());
  expect(dead).toMatchObject([{ id: keys[6], reason: "status 422", attempts: 1 }]);
});
