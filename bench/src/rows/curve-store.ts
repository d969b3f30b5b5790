import { performance } from "node:perf_hooks";
import type { Sample, SeedStoreJob } from "../load/jobs.ts";
import { seededName } from "../load/seeded-name.ts";
import { clientIdOf } from "../load/typing.ts";
import { fullPlan } from "../plan.ts";
import { readRssMegabytes } from "../process-usage.ts";
import { runLoad } from "../run-load.ts";
import { heddleRelay } from "../servers/heddle-relay.ts";
import { startServer, type ServerKind } from "../servers/server.ts";
import { spreadOf } from "../statistics.ts";
import { curveTables, samplesAt, type CurveFigure } from "./curve.ts";
import { loadOverheadMs, type Row, type RowContext } from "./row.ts";

const opened = 20;
const starts = 3;
const seedLimitMs = 15 * 60_000;
const figures: Readonly<Record<"start" | "cold" | "warm" | "rss", CurveFigure>> = {
  start: { key: "startMs", title: "from start to listening, ms", digits: 0 },
  cold: { key: "coldMs", title: "cold open, ms", digits: 1 },
  warm: { key: "warmMs", title: "warm open, ms", digits: 1 },
  rss: { key: "rssMb", title: "RSS after opening, MB", digits: 0 },
};

type Seed = Pick<SeedStoreJob, "documents" | "updates" | "updateBytes" | "lanes">;

/** A relay that is started on a large library, of which somebody opens a few. */
export const curveDocuments: Row = {
  id: "curve-documents",
  roundsMax: 1,
  tables: curveTables(
    {
      title: "Start and open by documents on disk",
      explanation: `Documents of 100 bytes; the median of ${opened} of them, opened one after the other.`,
      unit: "documents",
    },
    fullPlan.curves.documentsOnDisk,
    [figures.start, figures.cold, figures.rss],
  ),
  appliesTo: isHeddle,
  measure: (kind, context) =>
    measureAll(kind, context, context.plan.curves.documentsOnDisk, (documents) => {
      return { documents, updates: 1, updateBytes: 100, lanes: 1 };
    }),
};

/** Documents of one writer who pastes 1 KB at a time, always at the beginning. */
export const curveSize: Row = {
  id: "curve-size",
  roundsMax: 1,
  tables: curveTables(
    {
      title: "Open by size of the document",
      explanation: "Pastes of 1 KB at the beginning, one update each, in one session.",
      unit: "bytes",
    },
    fullPlan.curves.documentBytes,
    [figures.cold, figures.warm, figures.rss],
  ),
  appliesTo: isHeddle,
  measure: (kind, context) =>
    measureAll(kind, context, context.plan.curves.documentBytes, (bytes) => {
      return { documents: 1, updates: bytes / 1_000, updateBytes: 1_000, lanes: 1 };
    }),
};

/** A document that was written by many processes, one after the other, each a lane and a Yjs client. */
export const curveLanes: Row = {
  id: "curve-lanes",
  roundsMax: 1,
  tables: curveTables(
    {
      title: "Start and open by lanes",
      explanation:
        "One document; each lane is a process that wrote 10 updates of 10 bytes and ended.",
      unit: "lanes",
    },
    fullPlan.curves.lanes,
    [figures.start, figures.cold, figures.rss],
  ),
  appliesTo: isHeddle,
  measure: (kind, context) =>
    measureAll(kind, context, context.plan.curves.lanes, (lanes) => {
      return { documents: 1, updates: 10, updateBytes: 10, lanes };
    }),
};

/** The folder is filled from inside, which only heddle's own can be. */
function isHeddle(kind: ServerKind): boolean {
  return kind.id === heddleRelay.id;
}

async function measureAll(
  kind: ServerKind,
  context: RowContext,
  points: readonly number[],
  seedOf: (point: number) => Seed,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (const point of points) {
    samples.push(samplesAt(point, await measure(kind, context, seedOf(point))));
  }
  return samples;
}

/** One large document is opened after three starts, many small ones after one. */
async function measure(kind: ServerKind, context: RowContext, seed: Seed): Promise<Sample> {
  const folder = context.makeFolder();
  const seeding = { core: context.pinning?.loadCore, limitMs: seedLimitMs };
  await runLoad({ kind: "seed-store", folder, ...seed }, seeding);
  const samples: Sample[] = [];
  for (let start = 0; start < (seed.documents === 1 ? starts : 1); start += 1) {
    samples.push(await startAndOpen(kind, folder, seed, context));
  }
  const medians = Object.keys(samples[0]!).map((key) => {
    return [key, spreadOf(samples.map((sample) => sample[key]!))?.median ?? Number.NaN];
  });
  return Object.fromEntries(medians) as Sample;
}

async function startAndOpen(
  kind: ServerKind,
  folder: string,
  seed: Seed,
  { pinning }: RowContext,
): Promise<Sample> {
  const startedAt = performance.now();
  const server = await startServer(kind, folder, pinning?.serverCore);
  const startMs = performance.now() - startedAt;
  try {
    const count = Math.min(opened, seed.documents);
    const step = Math.floor(seed.documents / count);
    const documents = Array.from({ length: count }, (_, index) => seededName(index * step));
    const { url, wire, pid: serverPid } = server;
    const job = { kind: "open", url, wire, serverPid, documents, client: clientIdOf(0) } as const;
    const clocks = seed.updates * seed.updateBytes;
    const options = { core: pinning?.loadCore, limitMs: loadOverheadMs };
    const opening = await runLoad({ ...job, clocks }, options);
    return { ...opening, startMs, rssMb: readRssMegabytes(server.pid) };
  } finally {
    await server.stop();
  }
}
