import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";

import {
  documentIdOf,
  newStoreId,
  openSpaceId,
  parseDocumentName,
  toHex,
  type DocumentId,
  type Logger,
} from "@heddle/core";
import {
  defineProjection,
  encodeTotal,
  ProjectionRunner,
  ReconcileJob,
  totalPath,
  type JobOptions,
  type ProjectionSource,
  type ProjectionStore,
  type SourceDocument,
} from "@heddle/reconcile";
import { nodeEnvironment } from "@heddle/replica/node";
import { openLevelProjectionStore } from "@heddle/storage-level";
import * as Y from "yjs";

/**
 * What reconciling many partitions costs when few have drifted, beside a full recount, and when none has. The
 * projection is on LevelDB. Documents are in memory, so that the log's own readings are not in it: a digest costs
 * one SHA-256, a reading one Y.Doc made of an update with 20 likes.
 *
 *   node bench/dist/reconcile/reconcile.js [partitions] [drifted] [share of the event loop]
 */

const [partitions = 100_000, drifted = 10, loopShare = 0.1] = process.argv.slice(2).map(Number);
const ignore = (): void => undefined;
const silent: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const environment = nodeEnvironment(silent);
const { hash, clock } = environment;
const likesOfEach = 20;

const projection = defineProjection<Y.Doc>({
  name: "likes",
  version: 1,
  owner: "bench",
  partition: (name) => name,
  derive: (doc) => [["likes", doc.getMap("likes").size]],
  combine: (a, b) => Number(a) + Number(b),
  subtract: (a, b) => Number(a) - Number(b),
  repair: "overwrite",
});

function newSource(): ProjectionSource<Y.Doc> {
  const written = new Y.Doc();
  for (let person = 0; person < likesOfEach; person++) {
    written.getMap("likes").set(`person ${person}`, true);
  }
  const update = Y.encodeStateAsUpdate(written);
  const documents = new Map<DocumentId, SourceDocument>();
  for (let index = 0; index < partitions; index++) {
    const name = parseDocumentName(`post-${String(index).padStart(7, "0")}`);
    const id = documentIdOf(hash, openSpaceId(hash), name);
    documents.set(id, { id, name });
  }
  const ids = [...documents.keys()].toSorted();
  const places = new Map(ids.map((id, index) => [id, index]));
  return {
    storeId: newStoreId(environment.random),
    describeFeed: async () => ({ incarnations: ["aa"], lastArrival: 1 }),
    readFeed: async () => ({ groups: [] }),
    async readDocuments(after, limit) {
      const from = after === undefined ? 0 : places.get(after)! + 1;
      return ids.slice(from, from + limit).map((id) => documents.get(id)!);
    },
    describe: async (id) => documents.get(id),
    look: async (id) => ({ outcome: "whole", log: digest(id) }),
    async read(id) {
      const content = new Y.Doc();
      Y.applyUpdate(content, update);
      return { outcome: "whole", log: digest(id), content };
    },
    readChanges: async () => ({ outcome: "absent" }),
  };
}

function digest(id: DocumentId): string {
  return toHex(hash.sha256(new TextEncoder().encode(id)));
}

/** Bytes of records that were read, as they are handed out. */
let bytesRead = 0;

function counting(store: ProjectionStore): ProjectionStore {
  const readPage = store.readPage.bind(store);
  const get = store.get.bind(store);
  store.readPage = async (range) => {
    const page = await readPage(range);
    for (const { value } of page) bytesRead += value.length;
    return page;
  };
  store.get = async (paths) => {
    const values = await get(paths);
    for (const value of values) bytesRead += value?.length ?? 0;
    return values;
  };
  return store;
}

async function measured(what: string, options: Partial<JobOptions>): Promise<void> {
  bytesRead = 0;
  const loop = performance.eventLoopUtilization();
  const cpu = process.cpuUsage();
  const job = ReconcileJob.of(
    { projection, source, store, environment },
    { name: "bench", holder: "bench", correctionsMax: 1_000, ...options },
  );
  const { outcome, counts, load, tookMs } = await job.run();
  const { user, system } = process.cpuUsage(cpu);
  const row = {
    what,
    outcome,
    seconds: Number((tookMs / 1_000).toFixed(1)),
    cpuSeconds: Number(((user + system) / 1e6).toFixed(1)),
    loopShare: Number(performance.eventLoopUtilization(loop).utilization.toFixed(3)),
    reads: load.reads,
    bytesRead,
    corrections: counts.corrections,
    partitions: counts.partitions,
  };
  console.log(JSON.stringify(row));
}

/** Timers of the environment let a process end that nothing else keeps. */
const keepAlive = setInterval(ignore, 60_000);
const folder = await mkdtemp(path.join(tmpdir(), "heddle-reconcile-"));
const opened = await openLevelProjectionStore(folder, { environment });
const store = counting(opened.store);
const source = newSource();
try {
  const limits = { groupsMax: 1_000, entriesMax: 8_000, bytesMax: 16 * 1024 * 1024 };
  const runner = new ProjectionRunner({ store, source, projection, hash, clock, limits });
  const beganMs = performance.now();
  while ((await runner.turn()) !== "idle");
  const buildSeconds = Number(((performance.now() - beganMs) / 1_000).toFixed(1));
  console.log(JSON.stringify({ what: "build", partitions, seconds: buildSeconds }));
  const full = { readsPerSecond: 1e9, loopShare: 1 };
  const gentle = { readsPerSecond: 1e9, loopShare };
  const tamper = async (): Promise<void> => {
    const { generation } = runner.live!;
    for (let index = 0; index < drifted; index++) {
      const place = Math.floor((index + 0.5) * (partitions / drifted));
      const partition = `post-${String(place).padStart(7, "0")}`;
      const value = encodeTotal({ value: likesOfEach - 3, documents: 1 });
      await store.apply({ put: [{ path: totalPath(generation, partition, "likes"), value }] });
    }
  };
  await tamper();
  await measured("drifted, at full speed", { pace: full });
  await measured("nothing drifted, at full speed", { pace: full });
  await measured("full recount (thorough), at full speed", { pace: full, isThorough: true });
  await tamper();
  await measured(`drifted, at ${loopShare} of the event loop`, { pace: gentle });
} finally {
  clearInterval(keepAlive);
  await store.close();
  await rm(folder, { recursive: true, force: true });
}
