import type { FanOutJob, Sample } from "../load/jobs.ts";
import { fullPlan } from "../plan.ts";
import { runLoad } from "../run-load.ts";
import { startServer } from "../servers/server.ts";
import { curveTables, samplesAt } from "./curve.ts";
import { loadOverheadMs, type Row } from "./row.ts";

const updatesPerWriter = 20_000;

/** The same fan-out with more and more people in the room. */
export const curveClients: Row = {
  id: "curve-clients",
  roundsMax: 1,
  tables: curveTables(
    {
      title: "Fan-out by clients",
      explanation:
        "As in the first row: 10 of them write, 160 updates in flight. Flat is good: a delivery costs the same in a large room.",
      unit: "clients",
    },
    fullPlan.curves.clients,
    [{ key: "deliveriesPerCpuSecond", title: "deliveries per server CPU s", digits: 0 }],
  ),
  appliesTo: () => true,
  measure: async (kind, { plan, pinning, makeFolder }) => {
    const samples: Sample[] = [];
    for (const clients of plan.curves.clients) {
      const server = await startServer(kind, makeFolder(), pinning?.serverCore);
      try {
        const job: FanOutJob = {
          kind: "fan-out",
          url: server.url,
          wire: server.wire,
          serverPid: server.pid,
          pinning: pinning ?? null,
          clients,
          writers: Math.min(10, clients - 1),
          updatesPerWriter,
          pace: { window: 160 },
          warmUpWindow: 160,
          warmUpMs: Math.min(1_000, plan.warmUpMs),
          measureMs: Math.min(2_500, plan.measureMs),
        };
        const options = { core: pinning?.loadCore, limitMs: loadOverheadMs };
        samples.push(samplesAt(clients, await runLoad(job, options)));
      } finally {
        await server.stop();
      }
    }
    return samples;
  },
};
