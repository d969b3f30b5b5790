import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { parseDocumentName } from "@heddle/core";
import { Replica } from "@heddle/replica";
import {
  ephemeralDeviceKey,
  FoldProcess,
  nodeEnvironment,
  ProcessJudge,
} from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";
import * as Y from "yjs";

// Writes some documents, then opens, changes and leaves as many as it is told, new ones and old ones
// in turn, as a relay does. Prints what the process holds before and after. Arguments: folder, documents.
const [folder, count] = process.argv.slice(2);
const warmUp = 2_500;
const atOnce = 50;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const log = { debug() {}, info() {}, warn: console.error, error: console.error };
const environment = nodeEnvironment(log);
const store = await openLevelStore(folder!, { environment });
const judge = new ProcessJudge({ heapMb: 128 });
const folding = new FoldProcess();
const replica = await Replica.open({
  store,
  environment,
  signer: ephemeralDeviceKey(),
  engine: "test",
  idleMs: 1,
  judge,
  folder: folding,
});
await visitAll(0, warmUp);
await report();
await visitAll(warmUp, Number(count));
await report();
await replica.close();
await judge.close();
await folding.close();
await store.close();

async function visitAll(from: number, documents: number): Promise<void> {
  let next = 0;
  const visitor = async (): Promise<void> => {
    // Every fourth one has been here before.
    while (next < documents) {
      const number = next++;
      await visit(number % 4 === 3 ? number % warmUp : from + number);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, visitor));
}

async function visit(number: number): Promise<void> {
  const document = await replica.acquire(parseDocumentName(`visited ${number}`));
  document.submit(typed(number, document.encodeStateVector()), {});
  await document.whenSettled();
  document.encodeSince();
  replica.release(document);
}

/** A thousand letters at the end of what their writer wrote before. */
function typed(number: number, vector: Uint8Array): Uint8Array {
  const clock = Y.decodeStateVector(vector).get(number + 1) ?? 0;
  const doc = new Y.Doc();
  doc.clientID = number + 1;
  if (clock > 0) doc.getText("text").insert(0, "a".repeat(clock));
  const before = Y.encodeStateVector(doc);
  doc.getText("text").insert(clock, "z".repeat(1_000));
  const update = Y.encodeStateAsUpdate(doc, before);
  doc.destroy();
  return update;
}

/**
 * The least of several looks: what is on its way out is swept and freed in threads of its own, and V8
 * only gives back its new space when little was allocated for five seconds.
 */
async function report(): Promise<void> {
  while (replica.openDocuments > 0) await delay(20);
  await replica.checkpointed();
  const least = { inUse: Infinity, rss: Infinity };
  for (let look = 0; look < 4; look++) {
    await delay(2_000);
    collect();
    const { heapUsed, external, rss } = process.memoryUsage();
    least.inUse = Math.min(least.inUse, heapUsed + external);
    least.rss = Math.min(least.rss, rss);
  }
  console.log(JSON.stringify(least));
}
