import { setTimeout as delay } from "node:timers/promises";
import { diskMegabytes } from "../disk-usage.ts";
import type { Sample } from "../load/jobs.ts";
import { readRssMegabytes } from "../process-usage.ts";
import { runLoad } from "../run-load.ts";
import { startServer, type RunningServer, type ServerKind } from "../servers/server.ts";
import { whenQuiet } from "../when-quiet.ts";
import { loadOverheadMs, type Row, type RowContext } from "./row.ts";

const bytes = 10_000;

/** A library of documents: written, left, and opened again after a restart. */
export const library: Row = {
  id: "library",
  roundsMax: 2,
  tables: [
    {
      title: "A library of documents of 10 KB: written, left, reopened",
      explanation:
        "2,000 documents (200 in the quick form), 50 under way at a time: two clients join, one pastes, both leave when the second has it. Memory is read when everybody has been gone for 40 s, and for 80 s; then the server is stopped and started again, and one client opens them all. Writing ends when the second client has the content, stored or not.",
      columns: [
        { key: "writeSeconds", title: "write s", digits: 2, versusStock: true },
        { key: "writeCpuSeconds", title: "CPU s", digits: 2, versusStock: true },
        { key: "rssLeftMb", title: "RSS when left MB", digits: 0, versusStock: true },
        { key: "rssCalmMb", title: "RSS after 80 s MB", digits: 0, versusStock: true },
        { key: "reopenSeconds", title: "reopen s", digits: 2 },
        { key: "reopenCpuSeconds", title: "CPU s", digits: 2 },
        { key: "diskMb", title: "disk MB", digits: 1 },
      ],
    },
  ],
  appliesTo: (server) => server.keepsDocuments,
  measure: async (kind, context) => {
    const folder = context.makeFolder();
    const { written, rssLeftMb, rssCalmMb } = await write(kind, folder, context);
    const sample = {
      writeSeconds: written["seconds"] ?? Number.NaN,
      writeCpuSeconds: written["serverCpuSeconds"] ?? Number.NaN,
      rssLeftMb,
      rssCalmMb,
    };
    if (!kind.durable) return [sample];
    const server = await startServer(kind, folder, context.pinning?.serverCore);
    try {
      const opened = await run(server, "open", context);
      return [
        {
          ...sample,
          reopenSeconds: opened["seconds"] ?? Number.NaN,
          reopenCpuSeconds: opened["serverCpuSeconds"] ?? Number.NaN,
          diskMb: diskMegabytes(folder),
        },
      ];
    } finally {
      await server.stop();
    }
  },
};

async function write(
  kind: ServerKind,
  folder: string,
  context: RowContext,
): Promise<{ written: Sample; rssLeftMb: number; rssCalmMb: number }> {
  const server = await startServer(kind, folder, context.pinning?.serverCore);
  try {
    const written = await run(server, "write", context);
    await delay(context.plan.leftMs);
    await whenQuiet(server.pid);
    const rssLeftMb = readRssMegabytes(server.pid);
    // A minute and more after the last person left: what a server comes down to.
    await delay(context.plan.leftMs);
    return { written, rssLeftMb, rssCalmMb: readRssMegabytes(server.pid) };
  } finally {
    await server.stop();
  }
}

function run(
  server: RunningServer,
  work: "write" | "open",
  { plan, pinning }: RowContext,
): Promise<Sample> {
  const { url, wire, pid: serverPid } = server;
  const job = { kind: "library", url, wire, serverPid, work, bytes } as const;
  const options = { core: pinning?.loadCore, limitMs: loadOverheadMs * 3 };
  return runLoad({ ...job, documents: plan.libraryDocuments }, options);
}
