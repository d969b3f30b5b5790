import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import {
  documentIdOf,
  EnvelopeKind,
  HybridClock,
  LaneWriter,
  openLane,
  openSpaceId,
  parseDocumentName,
  PayloadCodec,
  type LanePosition,
} from "@heddle/core";
import { ephemeralDeviceKey, nodeEnvironment } from "@heddle/replica/node";
import {
  openLevelDatabase,
  openLevelStore,
  StoreScrub,
  type LevelLogStore,
} from "@heddle/storage-level";

/**
 * What checksums, chain, witness and scrub cost: the same envelopes in plain LevelDB batches with sync,
 * and in a store. Every way groups what waits together, so that the difference is the store's work and
 * not a missing group commit. Ways take turns, in one process, and the medians are compared.
 *
 *   node bench/dist/store-cost/store-cost.js [seconds a turn] [turns] [file]
 */
const [seconds = "4", turns = "5", file] = process.argv.slice(2);
const payloadBytes = 120;

interface Figures {
  readonly rate: number;
  /** Of this process, LevelDB's threads among it: it depends little on what else the machine does. */
  readonly cpuMicros: number;
}

interface Way {
  readonly name: string;
  readonly run: (writers: number) => Promise<Figures>;
}

const silent = { debug: none, info: none, warn: none, error: none };
const environment = nodeEnvironment(silent);
const { hash, random, clock } = environment;
const signer = ephemeralDeviceKey();
const space = openSpaceId(hash);
const document = documentIdOf(hash, space, parseDocumentName("cost"));

function none(): void {
  // A bench has nobody to tell.
}

/** An envelope after the other, as a relay seals them. */
async function openSealer() {
  const hybrid = new HybridClock(clock);
  const lane = await openLane({ space, signer, hash, random, clock: hybrid, engine: "bench" });
  const writer = new LaneWriter(lane, hash, hybrid);
  let position: LanePosition | undefined;
  const seal = () => {
    const envelope = writer.seal(position, {
      kind: EnvelopeKind.update,
      flags: 0,
      document,
      epoch: 0,
      schema: 0,
      codec: PayloadCodec.yjsV1,
      payload: randomBytes(payloadBytes),
    });
    position = { seq: envelope.seq, head: envelope.id };
    return envelope;
  };
  return { lane, seal };
}

/** Runs `writers` at a time, each waiting for the disk before its next envelope. */
async function measure(writers: number, append: () => Promise<unknown>): Promise<Figures> {
  const cpu = process.cpuUsage();
  const endMs = performance.now() + Number(seconds) * 1000;
  const startedMs = performance.now();
  let count = 0;
  const writer = async (): Promise<void> => {
    while (performance.now() < endMs) {
      await append();
      count++;
    }
  };
  await Promise.all(Array.from({ length: writers }, writer));
  const { user, system } = process.cpuUsage(cpu);
  const rate = (count * 1000) / (performance.now() - startedMs);
  return { rate, cpuMicros: (user + system) / count };
}

async function inFolder<Value>(work: (folder: string) => Promise<Value>): Promise<Value> {
  const folder = await mkdtemp(path.join(tmpdir(), "heddle-cost-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Keys and values without any of the store's records around them; one batch at a time. */
const plainLevel: Way = {
  name: "plain level",
  run: (writers) =>
    inFolder(async (folder) => {
      const database = await openLevelDatabase(folder, { createIfMissing: true });
      const { seal } = await openSealer();
      let waiting: { key: Uint8Array; value: Uint8Array; done: () => void }[] = [];
      const state = { running: false };
      const flush = async (): Promise<void> => {
        state.running = true;
        await Promise.resolve();
        while (waiting.length > 0) {
          const group = waiting;
          waiting = [];
          await database.write(group.map(({ key, value }) => ({ type: "put", key, value })));
          for (const { done } of group) done();
          if (waiting.length === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        state.running = false;
      };
      let number = 0;
      const append = (): Promise<void> => {
        const key = new Uint8Array(8);
        new DataView(key.buffer).setUint32(4, ++number);
        const { bytes: value } = seal();
        return new Promise((done) => {
          waiting.push({ key, value, done });
          if (!state.running) void flush();
        });
      };
      const figures = await measure(writers, append);
      while (state.running) await new Promise((resolve) => setImmediate(resolve));
      await database.close();
      return figures;
    }),
};

function storeWay(
  name: string,
  options: { witnessDelayMs?: number },
  beside?: (store: LevelLogStore, folder: string) => { close(): Promise<void> },
): Way {
  const run = (writers: number): Promise<Figures> =>
    inFolder(async (folder) => {
      const store = await openLevelStore(folder, { environment, ...options });
      const { lane, seal } = await openSealer();
      const entry = {
        id: document,
        name: parseDocumentName("cost"),
        createdAt: { wallMs: 1, counter: 0 },
      };
      await store.append({ lanes: [lane], documents: [entry] });
      const other = beside?.(store, folder);
      const figures = await measure(writers, () => store.append({ envelopes: [seal()] }));
      await other?.close();
      await store.close();
      return figures;
    });
  return { name, run };
}

const never = 24 * 60 * 60 * 1000;
const ways: readonly Way[] = [
  plainLevel,
  storeWay("store, no witness", { witnessDelayMs: never }),
  storeWay("store, witness each second", {}),
  storeWay("store, witness, scrub at 8 MiB/s", {}, (store, folder) => {
    const rate = { intervalMs: 1, firstMs: 1, bytesPerSecond: 8 * 1024 * 1024 };
    const scrub = new StoreScrub({ store, folder, environment, ...rate });
    scrub.start();
    return scrub;
  }),
];

const rows: Record<string, string | number>[] = [];
for (const writers of [1, 64]) {
  const turnsOf = new Map<Way, Figures[]>(ways.map((way) => [way, []]));
  for (let turn = 0; turn < Number(turns); turn++) {
    for (const way of turn % 2 ? ways.toReversed() : ways)
      turnsOf.get(way)!.push(await way.run(writers));
  }
  const ratesOf = (way: Way) => turnsOf.get(way)!.map(({ rate }) => rate);
  const cpuOf = (way: Way) => median(turnsOf.get(way)!.map(({ cpuMicros }) => cpuMicros));
  for (const way of ways) {
    const values = ratesOf(way);
    const rate = median(values);
    rows.push({
      writers,
      way: way.name,
      "envelopes/s": Math.round(rate),
      "rate to plain": (rate / median(ratesOf(plainLevel))).toFixed(2),
      "CPU µs each": Math.round(cpuOf(way)),
      "CPU to plain": (cpuOf(way) / cpuOf(plainLevel)).toFixed(2),
      lowest: Math.round(Math.min(...values)),
      highest: Math.round(Math.max(...values)),
    });
  }
}
console.table(rows);
if (file) {
  const about = {
    payloadBytes,
    seconds: Number(seconds),
    turns: Number(turns),
    node: process.version,
  };
  await writeFile(file, `${JSON.stringify({ about, rows }, undefined, 2)}\n`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
