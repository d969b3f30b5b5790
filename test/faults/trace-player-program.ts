import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { gunzipSync } from "node:zlib";

import { webSocketTransport } from "@heddle/client";
import { HeddleErrorCode } from "@heddle/core";
import { openReplica } from "@heddle/replica/node";
import { levelStore } from "@heddle/storage-level";
import type { Connection, Transport } from "@heddle/sync";
import { WebSocket } from "ws";

import { playTrace, typedBy, turnsOf, type TraceTransaction } from "./trace-seat.ts";

// Plays one person of a recorded session on a replica of its own, from where its folder says that it was.
// Arguments: folder, trace, agent, URL of the relay.
// Prints "open <turns> <outbox>", then "typed <turns>" now and then, and "done <outbox>" when all was typed by
// everybody and nothing waits. Orders, one a line: "text", and "offline", which is answered when the relay is known
// to have all and the connection is gone; typing goes on then.
const [folder, file, agentName, url] = process.argv.slice(2);
const agent = Number(agentName);
const { txns, numAgents } = JSON.parse(gunzipSync(readFileSync(file!)).toString("utf8")) as {
  readonly txns: readonly TraceTransaction[];
  readonly numAgents: number;
};
const turns = turnsOf(txns, numAgents);
const webSocket = webSocketTransport({ url: url!, WebSocket });
let connection: Connection | undefined;
const dial: Transport["dial"] = async (signal) => (connection = await webSocket.dial(signal));
const peers = [{ name: "relay", transport: { name: webSocket.name, dial } }];
const replica = await openReplica({ store: levelStore(folder!), peers });
replica.peers!.setOnline(false);
const document = replica.document("trace");
await document.whenLoaded();
const { ydoc } = document;
const text = ydoc.getText("text");
const own = typedBy(ydoc, agent);
const pending = (): number => replica.outbox?.envelopes ?? 0;
console.log(`open ${own.length} ${pending()}`);
replica.peers!.setOnline(true);

let goingOffline: Promise<void> | undefined;
async function goOffline(): Promise<void> {
  await document.whenRelayed();
  replica.peers!.setOnline(false);
  connection?.close(HeddleErrorCode.sessionClosed);
  goingOffline = undefined;
  console.log("offline");
}
createInterface({ input: process.stdin }).on("line", (order) => {
  if (order === "offline") goingOffline = goOffline();
  if (order === "text") console.log(JSON.stringify({ text: text.toJSON() }));
});

await playTrace({
  agent,
  turns,
  ydoc,
  onWaiting: () => void document.whenSaved(),
  beforeTurn: () => goingOffline,
  onTyped: async (count) => {
    if (count % 25 !== 0) return;
    console.log(`typed ${count}`);
    await new Promise((resolve) => setImmediate(resolve));
  },
});
await document.whenRelayed();
console.log(`done ${pending()}`);
