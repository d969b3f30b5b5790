// npm run node -w apps/examples -- bread butter
//
// Puts things on a shopping list that the pages of the other examples show. What is put on it while there is no
// relay is kept in the folder, and sent by the next run that meets one.
import { openReplica } from "@heddle/client";
import { levelStore } from "@heddle/storage-level";
import { WebSocket } from "ws"; // Node 22 and later have one of their own

const relay = process.env.RELAY_URL ?? "ws://127.0.0.1:8787";
const folder = process.env.DATA ?? "shopping-data";
const offlineAfterMs = 3_000;

const replica = await openReplica({ store: levelStore(folder), peers: [relay], WebSocket });
const list = await replica.open("shopping");
list.ydoc.getArray("items").push(process.argv.slice(2));
await list.whenSaved();
console.log(`saved here: ${list.ydoc.getArray("items").length} things on the list`);

// Resolves when the relay has it on its disk; that may take days, and nothing is lost meanwhile.
const relayed = list.whenRelayed().then(() => true);
const patience = new Promise((resolve) => setTimeout(resolve, offlineAfterMs, false).unref());
if (await Promise.race([relayed, patience])) console.log(`and on the relay ${relay}`);
else console.log(`no relay at ${relay} yet: ${replica.peers.outbox.envelopes} to send next time`);
relayed.catch(() => undefined); // closing ends the wait
await replica.close();
