import type { FanOutJob, Sample } from "../load/jobs.ts";
import { runLoad } from "../run-load.ts";
import { startServer, type ServerKind } from "../servers/server.ts";
import { cpuColumns, loadOverheadMs, type Row, type RowContext } from "./row.ts";

const clients = 100;
const writers = 10;
const window = 160;
const updatesPerSecond = 200;

/** As fast as it goes, with a bounded number of updates under way. */
export const fanOut: Row = {
  id: "fan-out",
  tables: [
    {
      title: `1 document, ${clients} clients, ${writers} of them writing, ${window} updates in flight`,
      explanation:
        "A delivery is one update seen by one client that did not write it. Latency under a full window is mostly queueing.",
      columns: [
        {
          key: "deliveriesPerCpuSecond",
          title: "deliveries per server CPU s",
          digits: 0,
          versusStock: true,
        },
        { key: "deliveriesPerSecond", title: "deliveries/s", digits: 0, versusStock: true },
        { key: "p50Ms", title: "p50 ms", digits: 2 },
        { key: "p99Ms", title: "p99 ms", digits: 2 },
        ...cpuColumns,
      ],
    },
  ],
  appliesTo: () => true,
  measure: (server, context) => {
    const { measureMs, typedPerWriter } = context.plan;
    return measureFanOut(server, context, {
      pace: { window },
      measureMs,
      updatesPerWriter: typedPerWriter,
    });
  },
};

/** At a pace that everyone can hold: what does a delivery cost, how late is it? */
export const fanOutAtRate: Row = {
  id: "fan-out-rate",
  tables: [
    {
      title: `The same at ${updatesPerSecond} updates/s`,
      explanation:
        "An open loop: updates are sent on time whatever comes back. The server was busy with a full window before: code that runs 200 times a second takes minutes to be compiled, and compiling it would be most of what is seen.",
      columns: [
        {
          key: "cpuSecondsPerMillion",
          title: "server CPU s per 1 M deliveries",
          digits: 2,
          versusStock: true,
        },
        { key: "p50Ms", title: "p50 ms", digits: 2, versusStock: true },
        { key: "p99Ms", title: "p99 ms", digits: 2, versusStock: true },
        ...cpuColumns,
      ],
    },
  ],
  appliesTo: () => true,
  measure: (server, context) => {
    const { warmUpMs, measureAtRateMs: measureMs, typedPerWriter } = context.plan;
    // Twice what the time asks for: a pacer that catches up may not run out.
    const atRate = ((warmUpMs + measureMs) / 1_000) * (updatesPerSecond / writers) * 2;
    const updatesPerWriter = Math.ceil(atRate) + typedPerWriter;
    return measureFanOut(server, context, {
      pace: { rate: updatesPerSecond },
      measureMs,
      updatesPerWriter,
    });
  },
};

type Variant = Pick<FanOutJob, "pace" | "measureMs" | "updatesPerWriter">;

async function measureFanOut(
  kind: ServerKind,
  context: RowContext,
  variant: Variant,
): Promise<readonly Sample[]> {
  const { plan, pinning } = context;
  const server = await startServer(kind, context.makeFolder(), pinning?.serverCore);
  try {
    const job: FanOutJob = {
      kind: "fan-out",
      url: server.url,
      wire: server.wire,
      serverPid: server.pid,
      pinning: pinning ?? null,
      clients,
      writers,
      warmUpMs: plan.warmUpMs,
      warmUpWindow: window,
      ...variant,
    };
    const limitMs = 6 * (job.warmUpMs + job.measureMs) + loadOverheadMs;
    return [await runLoad(job, { core: pinning?.loadCore, limitMs })];
  } finally {
    await server.stop();
  }
}
