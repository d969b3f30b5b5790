import { parseDocumentName, type Logger } from "@heddle/core";
import { Replica } from "@heddle/replica";
import { ephemeralDeviceKey, nodeEnvironment } from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";
import * as Y from "yjs";
import type { Sample, SeedStoreJob } from "./jobs.ts";
import { seededName } from "./seeded-name.ts";
import { clientIdOf } from "./typing.ts";

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Fills a data folder of heddle from inside, without a socket: what the scaling curves open afterwards
 * would take hours to type. Each lane is a replica of its own that opens, writes and closes.
 */
export async function runSeedStore(job: SeedStoreJob): Promise<Sample> {
  const environment = nodeEnvironment(silent);
  const store = await openLevelStore(job.folder, { environment });
  const signer = ephemeralDeviceKey();
  for (let lane = 0; lane < job.lanes; lane += 1) {
    const options = { store, environment, signer, engine: "bench", idleMs: 1 };
    const replica = await Replica.open(options);
    for (let from = 0; from < job.documents; from += 200) {
      const indices = Array.from(
        { length: Math.min(200, job.documents - from) },
        (_, i) => from + i,
      );
      await Promise.all(indices.map((index) => write(replica, index, lane, job)));
    }
    await replica.close();
  }
  await store.close();
  return { lanes: job.lanes };
}

/** Writers take turns by lane, each a client of its own; a lane goes on where its document ended. */
async function write(
  replica: Replica,
  index: number,
  lane: number,
  { updates, updateBytes }: SeedStoreJob,
): Promise<void> {
  const document = await replica.acquire(parseDocumentName(seededName(index)));
  const source = {};
  for (const update of typed(clientIdOf(lane), updates, updateBytes))
    document.submit(update, source);
  await document.whenSettled();
  replica.release(document);
}

/** Text at the beginning of the document, so that no lane needs to know the others. */
function typed(client: number, updates: number, updateBytes: number): Uint8Array[] {
  const doc = new Y.Doc();
  doc.clientID = client;
  const list: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => list.push(update));
  for (let index = 0; index < updates; index += 1) {
    doc.getText("text").insert(0, "z".repeat(updateBytes));
  }
  doc.destroy();
  return list;
}
