import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";

import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import { expect, test } from "vitest";

import { heddle, operatorFolder, startRelay, until } from "./commands.fixture.ts";
import type { DeadLine, SinkReport } from "./sink-reports.ts";

// Goal: an operator gives a relay a webhook in a few lines, sees what it does, and settles what it gave up.
// Method: a relay with a module of sinks, a real HTTP server that refuses and is well again, and the commands.

const place = operatorFolder();

interface Posted {
  readonly key: string;
  readonly document: string;
}

/** Takes what is posted; `statusOf` says with which answer. */
async function serve(statusOf: (posted: Posted) => number) {
  const posts: (Posted & { readonly status: number })[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      const { document } = JSON.parse(body) as { document: string };
      const posted = { key: String(request.headers["idempotency-key"]), document };
      const status = statusOf(posted);
      posts.push({ ...posted, status });
      response.writeHead(status).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/changes`,
    posts,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function write(...names: string[]): Promise<void> {
  const replica = await openReplica({ store: levelStore(place.data) });
  for (const name of names) {
    const document = await replica.open(name);
    document.ydoc.getText("text").insert(0, "a line ");
    await document.whenSaved();
  }
  await replica.close();
}

async function report(...flags: string[]): Promise<SinkReport> {
  const { out } = await heddle("sinks", place.data, ...flags, "--json");
  return JSON.parse(out[0]!) as SinkReport;
}

test("[PRJ-16] [PRJ-17] a relay with a webhook: handed over, refused, seen in metrics, health and `heddle sinks`, settled and audited", async () => {
  let isMended = false;
  await using server = await serve(({ document }) => {
    return document.startsWith("bad") && !isMended ? 422 : 204;
  });
  await writeFile(
    place.module,
    `export const sinks = [{
      name: "hook",
      owner: "integrations",
      webhook: { url: ${JSON.stringify(server.url)} },
      accepts: ({ name }) => !name.startsWith("private"),
    }];`,
  );
  await write("good 1", "bad 1", "private", "bad 2", "bad 3");
  let first: DeadLine | undefined;
  {
    await using relay = await startRelay(place.data, "--projections", place.module);
    const metric = async (name: string): Promise<number> => {
      const sample = new RegExp(`^heddle_sink_${name}\\{sink="hook"\\} (\\S+)$`, "m");
      return Number(sample.exec(await relay.metricsText())?.[1]);
    };
    await until(
      async () => (await metric("dead_kept")) === 3 && (await metric("age_seconds")) === 0,
    );
    expect(await metric("delivered_total")).toBe(1);
    expect(await metric("dead_total")).toBe(3);
    expect(await metric("breaker_open")).toBe(0);
    expect(await metric("lag_groups")).toBe(0);
    const ready = (await (await fetch(`${relay.adminUrl}/readyz`)).json()) as object;
    expect(ready).toMatchObject({ ready: true, degraded: [{ reason: "sinks-dead", count: 3 }] });

    const seen = await report();
    expect(seen).toMatchObject({
      name: "hook",
      state: "idle",
      running: { owner: "integrations", delivered: 1, lagGroups: 0 },
      deadCount: 3,
      deadDropped: 0,
    });
    expect(seen.dead.map(({ reason, attempts }) => [reason, attempts])).toEqual(
      [1, 2, 3].map(() => ["status 422", 1]),
    );
    isMended = true;
    [first] = seen.dead;
    const retried = await heddle("sinks", place.data, "--sink", "hook", "--retry", first!.id);
    expect(retried).toMatchObject({ status: 0, out: [`delivered ${first!.id}`] });
    const again = server.posts.filter(({ key }) => key === first!.id).map(({ status }) => status);
    expect(again).toEqual([422, 204]);
    expect((await report()).deadCount).toBe(2);
    expect(await metric("dead_kept")).toBe(2);
  }
  // Without the relay, and without its module: what is dead can be seen and dropped, and not tried.
  const offline = await heddle("sinks", place.data);
  expect(offline.status).toBe(1);
  expect(offline.out.join("\n")).toContain("hook: stopped");
  expect(offline.out.join("\n")).toContain("2 dead");
  const before = server.posts.length;
  expect((await heddle("sinks", place.data, "--sink", "hook", "--retry")).status).toBe(2);
  const [left] = (await report("--projections", place.module)).dead;
  const dropped = await heddle("sinks", place.data, "--sink", "hook", "--drop", left!.id);
  expect(dropped).toMatchObject({ status: 0, out: [`dropped ${left!.id}`] });
  expect(server.posts).toHaveLength(before);
  const all = ["sinks", place.data, "--sink", "hook", "--retry", "--projections", place.module];
  expect(await heddle(...all)).toMatchObject({ status: 0 });
  expect(await heddle("sinks", place.data)).toMatchObject({ status: 0 });
  // Whoever asks again asks for something that is not there.
  expect((await heddle("sinks", place.data, "--sink", "hook", "--drop", left!.id)).status).toBe(1);

  const audit = (await heddle("audit", place.data, "--json")).out.map(
    (line) => JSON.parse(line) as object,
  );
  expect(audit).toMatchObject([
    { subject: { sink: "hook", change: first!.id }, action: "redelivered", result: "verified" },
    { subject: { sink: "hook", change: left!.id }, action: "dropped", result: "applied" },
    { subject: { sink: "hook" }, action: "redelivered", result: "verified" },
  ]);
  expect(server.posts.map(({ document }) => document)).not.toContain("private");
});

test("[PRJ-18] a webhook that begins now is given what is written from then on, and wrong usage is status 2", async () => {
  await using server = await serve(() => 204);
  const webhook = { url: server.url };
  const sinks = [{ name: "hook", owner: "integrations", from: "now", webhook }];
  await writeFile(place.module, `export const sinks = ${JSON.stringify(sinks)};`);
  await write("old 1", "old 2");
  for (const name of ["new 1", "new 2"]) {
    {
      await using _ = await startRelay(place.data, "--projections", place.module);
      await until(async () => (await report()).state === "idle");
    }
    await write(name);
  }
  {
    await using _ = await startRelay(place.data, "--projections", place.module);
    await until(() => server.posts.length === 2);
  }
  expect(server.posts.map(({ document }) => document)).toEqual(["new 1", "new 2"]);

  for (const wrong of [
    [{ name: "hook", owner: "x", webhook: { url: "nowhere" } }],
    [{ name: "hook", owner: "x" }],
    [...sinks, ...sinks],
  ]) {
    // A module is loaded once for each name.
    const copy = path.join(place.folder, `wrong-${JSON.stringify(wrong).length}.mjs`);
    await writeFile(copy, `export const sinks = ${JSON.stringify(wrong)};`);
    const refused = await heddle("sinks", place.data, "--projections", copy);
    expect(refused.status).not.toBe(0);
    expect(refused.err.join()).toMatch(/HEDDLE_(PROJECTION|CONFIG)_INVALID/);
  }
  expect((await heddle("sinks", place.data, "--retry")).status).toBe(2);
  expect((await heddle("sinks", place.data, "--sink", "hook", "--retry", "--drop")).status).toBe(2);
});
