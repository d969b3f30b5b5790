import {
  documentIdOf,
  EnvelopeFlag,
  EnvelopeKind,
  HybridClock,
  LaneWriter,
  openLane,
  openSpaceId,
  parseDocumentName,
  PayloadCodec,
  type Environment,
  type LanePosition,
  type Logger,
  type LogStore,
} from "@heddle/core";
import { Replica } from "@heddle/replica";
import {
  deviceKeyFileIn,
  ephemeralDeviceKey,
  nodeEnvironment,
  openDeviceKey,
} from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";
import * as Y from "yjs";
import type { Sample, SeedStoreJob } from "./jobs.ts";
import { seededName } from "./seeded-name.ts";
import { clientIdOf } from "./typing.ts";

/** Documents under way at a time. */
const atOnce = 200;
const draft = {
  kind: EnvelopeKind.update,
  flags: EnvelopeFlag.viaGateway,
  epoch: 0,
  schema: 0,
  codec: PayloadCodec.yjsV1,
} as const;
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * Fills a data folder of heddle from inside, without a socket: what the scaling curves open afterwards
 * would take hours to type. Documents are written through a replica; lanes are written as envelopes,
 * since thousands of replicas that each read what is there would take as long.
 */
export async function runSeedStore(job: SeedStoreJob): Promise<Sample> {
  const environment = nodeEnvironment(silent);
  const store = await openLevelStore(job.folder, { environment });
  if (job.lanes > 1) await writeLanes(store, environment, job);
  else await writeDocuments(store, environment, job);
  await store.close();
  return { lanes: job.lanes };
}

async function writeDocuments(
  store: LogStore,
  environment: Environment,
  job: SeedStoreJob,
): Promise<void> {
  // That of whoever opens the folder: peers are given only what its own device signs.
  const signer = await openDeviceKey(deviceKeyFileIn(job.folder));
  const replica = await Replica.open({ store, environment, signer, engine: "bench", idleMs: 1 });
  const updates = typed(clientIdOf(0), job.updates, job.updateBytes);
  for (let from = 0; from < job.documents; from += atOnce) {
    const count = Math.min(atOnce, job.documents - from);
    await Promise.all(
      Array.from({ length: count }, async (_, index) => {
        const document = await replica.acquire(parseDocumentName(seededName(from + index)));
        const source = {};
        for (const update of updates) document.submit(update, source);
        await document.whenSettled();
        replica.release(document);
      }),
    );
  }
  await replica.close();
}

/** One document; each lane is of a client of its own and was written by a process of its own. */
async function writeLanes(
  store: LogStore,
  { hash, random, clock: wall }: Environment,
  job: SeedStoreJob,
): Promise<void> {
  const space = openSpaceId(hash);
  const signer = ephemeralDeviceKey();
  const clock = new HybridClock(wall);
  const name = parseDocumentName(seededName(0));
  const entry = { id: documentIdOf(hash, space, name), name, createdAt: clock.tick() };
  for (let index = 0; index < job.lanes; index += 1) {
    const lane = await openLane({ space, signer, hash, random, clock, engine: "bench" });
    const writer = new LaneWriter(lane, hash, clock);
    let position: LanePosition | undefined;
    const updates = typed(clientIdOf(index), job.updates, job.updateBytes);
    const envelopes = updates.map((payload) => {
      const sealed = writer.seal(position, { ...draft, document: entry.id, payload });
      position = { seq: sealed.seq, head: sealed.id };
      return sealed;
    });
    await store.append({ lanes: [lane], documents: index === 0 ? [entry] : [], envelopes });
  }
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
