// node apps/examples/sinks/webhook.js
//
// Every change that gets onto the disk is posted to a web server, at least once, under the id of its envelope. The
// server here is away for the first attempt, and acts on each key once.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";

import { webhook } from "@heddle/replica";
import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";

const done = new Map();
let requests = 0;
const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  requests++;
  if (requests === 1) return response.writeHead(503).end();
  const { document, seq } = JSON.parse(body);
  done.set(request.headers["idempotency-key"], `${document} ${seq}`);
  response.writeHead(204).end();
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

const folder = await mkdtemp(path.join(tmpdir(), "heddle-webhook-"));
const url = `http://127.0.0.1:${server.address().port}/changes`;
const replica = await openReplica({
  store: levelStore(folder),
  sinks: [{ name: "hook", owner: "integrations", deliver: webhook({ url }) }],
});

const list = await replica.open("shopping");
for (const what of ["bread", "butter"]) {
  list.ydoc.getArray("items").push([what]);
  await list.whenSaved();
}
await replica.sinks.whenCaughtUp();
const { counters } = replica.sinks.sinks.get("hook");
console.log("the server has:", [...done.values()].join(", "));
console.log("delivered:", counters.delivered, "failed before that:", counters.failed);

await replica.close();
server.close();
await rm(folder, { recursive: true });
