import type { DocumentsJob } from "../load/jobs.ts";
import { runLoad } from "../run-load.ts";
import { startLaunched, startServer, type RunningServer } from "../servers/server.ts";
import { cpuColumns, loadOverheadMs, type Row } from "./row.ts";

/** What it costs that writer and reader are at two relays, which both keep what they show. */
export const peers: Row = {
  id: "peers",
  tables: [
    {
      title:
        "100 documents, each with a writer and a reader; with two relays the reader is at the second",
      explanation:
        "One update in flight per document; the next is sent when the reader has it. The second relay keeps itself in agreement with the first (`--peer`), and both write to disk before they show: two syncs, one behind the other. CPU is that of all server processes, which share one core.",
      columns: [
        {
          key: "updatesPerCpuSecond",
          title: "updates per server CPU s",
          digits: 0,
          versusStock: true,
        },
        { key: "updatesPerSecond", title: "updates/s", digits: 0, versusStock: true },
        { key: "p50Ms", title: "p50 ms", digits: 1, versusStock: true },
        { key: "p99Ms", title: "p99 ms", digits: 1, versusStock: true },
        ...cpuColumns,
      ],
    },
  ],
  appliesTo: () => true,
  measure: async (kind, { plan, pinning, makeFolder }) => {
    const server = await startServer(kind, makeFolder(), pinning?.serverCore);
    let second: RunningServer | undefined;
    try {
      const launch = await kind.launchPeer?.(makeFolder(), server.url);
      if (launch) second = await startLaunched(kind, launch, pinning?.serverCore);
      const job: DocumentsJob = {
        kind: "documents",
        url: server.url,
        wire: server.wire,
        serverPid: server.pid,
        ...(second && { readers: { url: second.url, serverPid: second.pid } }),
        pinning: pinning ?? null,
        documents: plan.peeredDocuments,
        updatesPerDocument: plan.typedPerPeeredDocument,
        warmUpMs: plan.warmUpMs,
        measureMs: plan.measureMs,
      };
      const limitMs = 6 * (plan.warmUpMs + plan.measureMs) + loadOverheadMs;
      return [await runLoad(job, { core: pinning?.loadCore, limitMs })];
    } finally {
      await second?.stop();
      await server.stop();
    }
  },
};
