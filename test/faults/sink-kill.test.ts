import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { afterAll, beforeAll, expect, test } from "vitest";

import { RelayProcess } from "../processes/relay-process.ts";

const changes = 70;
/** At these requests the relay is killed: before anything is written down, and in the middle of what follows. */
const kills = [20, 50];

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "heddle-killed-sinks-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Posted {
  readonly key: string;
  readonly body: string;
  readonly seq: number;
}

// Goal: kill -9 between what a server has taken and what is written down of it repeats changes and loses none.
// Method: a relay with a webhook to a real server, which takes a change and kills the relay before it answers, again and
// again; the log of a document is the measure.
test("[PRJ-14] a relay that is killed between a delivery and its marker gives the same changes again, under the same keys", async () => {
  const replica = await openReplica({ store: levelStore(path.join(folder, "data")) });
  const document = await replica.open("notes");
  for (let n = 0; n < changes; n++) {
    document.ydoc.getText("text").insert(0, `line ${n} `);
    await document.whenSaved();
  }
  await replica.close();

  const posts: Posted[] = [];
  let relay: RelayProcess | undefined;
  const killed: Promise<void>[] = [];
  const answer = (response: ServerResponse): void => {
    if (!kills.includes(posts.length)) return void response.writeHead(204).end();
    killed.push(relay!.kill());
  };
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const { seq } = JSON.parse(body) as { seq: number };
      posts.push({ key: String(request.headers["idempotency-key"]), body, seq });
      answer(response);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const module = path.join(folder, "sinks.mjs");
  const sinks = [{ name: "hook", owner: "tests", webhook: { url } }];
  await writeFile(module, `export const sinks = ${JSON.stringify(sinks)};`);

  for (let start = 0; start <= kills.length; start++) {
    const flags = ["--projections", module];
    relay = await RelayProcess.start({ data: path.join(folder, "data"), flags });
    const isOver = () =>
      killed.length > start || new Set(posts.map(({ seq }) => seq)).size === changes;
    while (!isOver()) await new Promise((resolve) => setTimeout(resolve, 10));
    await killed[start];
  }
  await relay![Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();

  expect(killed).toHaveLength(kills.length);
  const seqs = posts.map(({ seq }) => seq);
  expect([...new Set(seqs)]).toEqual(Array.from({ length: changes }, (_, n) => n + 1));
  // A repeat is the same change under the same key, to the byte.
  const met = new Map<number, Posted>();
  for (const posted of posts) {
    expect(posted).toEqual(met.get(posted.seq) ?? posted);
    met.set(posted.seq, posted);
  }
  expect(new Set(posts.map(({ key }) => key)).size).toBe(changes);
  const repeats = posts.length - changes;
  expect(repeats).toBeGreaterThanOrEqual(kills.length);
  expect(repeats).toBeLessThanOrEqual(kills.length * 32);
});
