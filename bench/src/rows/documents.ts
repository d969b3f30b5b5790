import { setTimeout as delay } from "node:timers/promises";
import type { DocumentsJob } from "../load/jobs.ts";
import { readRssMegabytes } from "../process-usage.ts";
import { runLoad } from "../run-load.ts";
import { startServer } from "../servers/server.ts";
import { cpuColumns, loadOverheadMs, type Row } from "./row.ts";

const documentCount = 1_000;

/** Many small documents at once, and what remains of them in memory when all clients have gone. */
export const documents: Row = {
  id: "documents",
  tables: [
    {
      title: `${documentCount.toLocaleString("en")} documents, each with a writer and a reader`,
      explanation: "One update in flight per document; the next is sent when the reader has it.",
      columns: [
        {
          key: "updatesPerCpuSecond",
          title: "updates per server CPU s",
          digits: 0,
          versusStock: true,
        },
        { key: "updatesPerSecond", title: "updates/s", digits: 0, versusStock: true },
        { key: "p50Ms", title: "p50 ms", digits: 1 },
        { key: "p99Ms", title: "p99 ms", digits: 1 },
        ...cpuColumns,
      ],
    },
    {
      title: `Memory of the server around those ${documentCount.toLocaleString("en")} documents`,
      explanation:
        "RSS in MB. The bench forces no collection, heddle asks for one itself when it was calm for 8 s; a faster server has written more by then (see updates).",
      columns: [
        { key: "rssBeforeMb", title: "before", digits: 0 },
        { key: "rssBusyMb", title: "in use", digits: 0 },
        { key: "rssLeftMb", title: "left", digits: 0, versusStock: true },
        { key: "updates", title: "updates measured", digits: 0 },
      ],
    },
  ],
  appliesTo: () => true,
  measure: async (kind, { plan, pinning, makeFolder }) => {
    const server = await startServer(kind, makeFolder(), pinning?.serverCore);
    try {
      const job: DocumentsJob = {
        kind: "documents",
        url: server.url,
        wire: server.wire,
        serverPid: server.pid,
        pinning: pinning ?? null,
        documents: documentCount,
        updatesPerDocument: plan.typedPerDocument,
        warmUpMs: plan.warmUpMs,
        measureMs: plan.measureMs,
      };
      const limitMs = 6 * (plan.warmUpMs + plan.measureMs) + loadOverheadMs;
      const sample = await runLoad(job, { core: pinning?.loadCore, limitMs });
      await delay(plan.settleMs);
      return [{ ...sample, rssLeftMb: readRssMegabytes(server.pid) }];
    } finally {
      await server.stop();
    }
  },
};
