import { createInterface } from "node:readline";

import { lan } from "@heddle/lan";
import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";

// A replica of an application on one machine of a network, with its peers found by themselves.
// Arguments: data folder, name of the device, `host:port` of peers that are known beforehand.
// Orders, one a line; each answers with one line of JSON.
const [folder, name, ...addresses] = process.argv.slice(2);
const neighbours = lan({ name: name!, addresses });
const opened = await openReplica({
  store: levelStore(folder!),
  peers: [neighbours],
  follow: true,
});
// It was announced just now.
const startedMs = performance.now();
let connectedMs: number | undefined;
opened.peers!.on("sync", ({ name: event }) => {
  if (event === "session.live") connectedMs ??= performance.now() - startedMs;
});
const document = await opened.open("shared list");
const list = document.ydoc.getArray<string>("list");
// By this device, in earlier processes too.
let written = list.toArray().filter((item) => item.startsWith(name!)).length;

const orders: Readonly<Record<string, (argument: string) => unknown>> = {
  pair: async () => {
    const { link, done } = await neighbours.pair();
    done.then(
      (device) => console.log(JSON.stringify({ paired: device.name })),
      (error: Error) => console.log(JSON.stringify({ failed: error.message })),
    );
    return link;
  },
  join: async (link) => (await neighbours.join(link)).name,
  write: async (count) => {
    for (let each = 0; each < Number(count); each++) list.push([`${name}: ${written++}`]);
    await document.whenSaved();
    return written;
  },
  list: () => list.toArray(),
  peers: () => neighbours.peers.map(({ device, state }) => [device.name, state]),
  counters: () => ({ ...neighbours.counters, trouble: neighbours.trouble?.cause }),
  port: () => neighbours.port,
  me: () => neighbours.identity?.fingerprint,
  revoke: async (fingerprint) => {
    await neighbours.revoke(fingerprint);
    return "revoked";
  },
  connectedAfter: () => connectedMs,
  retry: () => {
    opened.peers!.retryNow();
    return "retried";
  },
  relayed: async () => {
    await document.whenRelayed();
    return "relayed";
  },
};

console.log("open");
for await (const line of createInterface({ input: process.stdin })) {
  const [order, argument = ""] = line.split(" ");
  if (order === "stop") break;
  console.log(JSON.stringify(await orders[order!]!(argument)) ?? "null");
}
await opened.close();
process.exit(0);
