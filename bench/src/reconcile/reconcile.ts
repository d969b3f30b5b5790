import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";

import type { Logger } from "@heddle/core";
import {
  defineProjection,
  encodeTotal,
  LookMemory,
  ProjectionRunner,
  readGenerations,
  ReconcileJob,
  totalPath,
  type JobOptions,
  type ProjectionStore,
} from "@heddle/reconcile";
import { LogSource } from "@heddle/replica";
import { nodeEnvironment } from "@heddle/replica/node";
import {
  openLevelProjectionStore,
  openLevelStore,
  type LevelLogStore,
} from "@heddle/storage-level";
import type { Doc } from "yjs";

import { countedDatabase, type ReadCounts } from "./counted-database.ts";
import { underLoad } from "./typing-load.ts";
import { likes, writeDocuments } from "./write-documents.ts";

/**
 * What reconciling many partitions costs: when few have drifted, when none has, when nothing moved since the run before,
 * when ten documents did, beside a full recount, and what people who type meanwhile notice of it. Log and projection are both on LevelDB, in one process, as in a
 * relay; a document is one envelope with 20 likes, and at rest.
 *
 *   node bench/dist/reconcile/reconcile.js [partitions] [drifted] [share of the event loop]
 */

const [partitions = 100_000, drifted = 10, loopShare = 0.1] = process.argv.slice(2).map(Number);
const ignore = (): void => undefined;
const silent: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const environment = nodeEnvironment(silent);
const { hash, clock } = environment;
const likesOfEach = 20;
/** Documents that people write in a round of the load. */
const typedEach = 5;
const full = { readsPerSecond: 1e9, loopShare: 1 };

const projection = defineProjection<Doc>({
  name: "likes",
  version: 1,
  owner: "bench",
  partition: (name) => name,
  derive: (doc) => [["likes", doc.getMap("likes").size]],
  combine: (a, b) => Number(a) + Number(b),
  subtract: (a, b) => Number(a) - Number(b),
  repair: "overwrite",
});

const nameOf = (index: number): string => `post-${String(index).padStart(7, "0")}`;
/** Evenly over all partitions. */
const places = Array.from({ length: drifted }, (_, index) => {
  return Math.floor((index + 0.5) * (partitions / drifted));
});

/** One opening of both databases: what a process knows of looks before goes with it. */
class Site {
  readonly memory = new LookMemory();
  readonly #counts: ReadCounts;
  readonly #log: LevelLogStore;
  readonly #store: ProjectionStore;
  readonly #source: LogSource;

  private constructor(counts: ReadCounts, log: LevelLogStore, store: ProjectionStore) {
    this.#counts = counts;
    this.#log = log;
    this.#store = store;
    this.#source = new LogSource({ store: log, environment });
  }

  static async open(folder: string): Promise<Site> {
    const counts: ReadCounts = { records: 0, bytes: 0 };
    const opening = { environment, openDatabase: countedDatabase(counts) };
    const log = await openLevelStore(folder, opening);
    const { store } = await openLevelProjectionStore(path.join(folder, "projections"), opening);
    return new Site(counts, log, store);
  }

  async write(names: readonly string[], people: number): Promise<void> {
    const update = likes(people);
    const documents = names.map((name) => ({ name, update }));
    await writeDocuments(this.#log, environment, documents);
  }

  async follow(): Promise<void> {
    const limits = { groupsMax: 1_000, entriesMax: 8_000, bytesMax: 16 * 1024 * 1024 };
    const parts = { store: this.#store, source: this.#source, projection, hash, clock, limits };
    const runner = new ProjectionRunner(parts);
    while ((await runner.turn()) !== "idle");
  }

  /** A hand on the totals. */
  async tamper(): Promise<void> {
    const { live } = await readGenerations(this.#store, projection.name);
    const value = encodeTotal({ value: likesOfEach - 3, documents: 1 });
    for (const place of places) {
      const at = totalPath(live!.id, nameOf(place), "likes");
      await this.#store.apply({ put: [{ path: at, value }] });
    }
  }

  /** A round of what people do: a few documents, and the feed brings them. */
  async type(prefix: string, round: number): Promise<void> {
    const names = Array.from({ length: typedEach }, (_, index) => `${prefix}-${round}-${index}`);
    await this.write(names, likesOfEach);
    await this.follow();
  }

  async measure(what: string, options: Partial<JobOptions> = {}): Promise<void> {
    const before = { ...this.#counts };
    const loop = performance.eventLoopUtilization();
    const cpu = process.cpuUsage();
    const parts = { projection, source: this.#source, store: this.#store, environment };
    const { memory } = this;
    const common = { name: "bench", holder: "bench", correctionsMax: 1_000, pace: full, memory };
    const report = await ReconcileJob.of(parts, { ...common, ...options }).run();
    const { user, system } = process.cpuUsage(cpu);
    const row = {
      what,
      outcome: report.outcome,
      seconds: Number((report.tookMs / 1_000).toFixed(3)),
      cpuSeconds: Number(((user + system) / 1e6).toFixed(3)),
      loopShare: Number(performance.eventLoopUtilization(loop).utilization.toFixed(3)),
      jobShare: Number((report.load.workedMs / report.tookMs).toFixed(3)),
      reads: report.load.reads,
      recordsRead: this.#counts.records - before.records,
      bytesRead: this.#counts.bytes - before.bytes,
      corrections: report.counts.corrections,
      partitions: report.counts.partitions,
    };
    console.log(JSON.stringify(row));
  }

  async close(): Promise<void> {
    await this.#store.close();
    await this.#log.close();
  }
}

async function loaded(what: string, work: () => Promise<void>): Promise<void> {
  const prefix = what.replaceAll(" ", "-");
  const figures = await underLoad((round) => site.type(prefix, round), work);
  console.log(JSON.stringify({ what: `people, ${what}`, ...figures }));
}

async function timed(what: string, work: () => Promise<void>): Promise<void> {
  const beganMs = performance.now();
  await work();
  const seconds = Number(((performance.now() - beganMs) / 1_000).toFixed(1));
  console.log(JSON.stringify({ what, partitions, seconds }));
}

/** Timers of the environment let a process end that nothing else keeps. */
const keepAlive = setInterval(ignore, 60_000);
const folder = await mkdtemp(path.join(tmpdir(), "heddle-reconcile-"));
let site = await Site.open(folder);
try {
  const names = Array.from({ length: partitions }, (_, index) => nameOf(index));
  await timed("documents written", () => site.write(names, likesOfEach));
  await timed("projection built", () => site.follow());
  await site.tamper();
  // Whoever had their hands on the files had them closed.
  await site.close();
  site = await Site.open(folder);
  const planned = { isOnlyMoved: true };
  await site.measure("first run after the opening, drifted", planned);
  await site.measure("what the corrections moved", planned);
  await site.measure("idle: nothing moved", planned);
  await site.measure("idle: nothing moved", planned);
  const moved = places.map((place) => `${nameOf(place)}/answers`);
  await site.write(moved, likesOfEach);
  await site.follow();
  await site.measure(`${moved.length} new documents`, planned);
  await site.measure("everything, nothing drifted");
  await site.measure("full recount (thorough)", { isThorough: true });
  await site.tamper();
  const pace = { readsPerSecond: 1e9, loopShare };
  await site.measure(`everything, drifted, at ${loopShare} of the event loop`, { pace });
  await loaded("no job", () => new Promise((resolve) => setTimeout(resolve, 5_000)));
  await loaded(`a job at ${loopShare}`, () => site.measure("under load", { pace }));
} finally {
  clearInterval(keepAlive);
  await site.close();
  await rm(folder, { recursive: true, force: true });
}
