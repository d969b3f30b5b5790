import { setTimeout as delay } from "node:timers/promises";
import { run } from "../child-process.ts";
import { diskMegabytes } from "../disk-usage.ts";
import type { Sample } from "../load/jobs.ts";
import { hasTrace } from "../load/trace.ts";
import { clientIdOf } from "../load/typing.ts";
import { runLoad } from "../run-load.ts";
import { startServer, type ServerKind } from "../servers/server.ts";
import { whenQuiet } from "../when-quiet.ts";
import { loadOverheadMs, type Row, type RowContext } from "./row.ts";

const document = "bench-trace";
const restarts = 3;

/** A real editing session, edit by edit, and the document it left: on disk, and opened after a restart. */
export const coldOpen: Row = {
  id: "cold-open",
  roundsMax: 1,
  tables: [
    {
      title:
        "A document of 259,778 edits (5,000 in the quick form): opened after a restart, and on disk",
      explanation:
        "The edits of a paper (automerge-perf), typed one by one. When everybody has been gone for 40 s and the server has been quiet for 3 s it is stopped, the folder is measured, and three times it is started and one client opens the document. Another client has opened another document before. From the client's connect to its last byte; warm is a second client right after. Nothing asks for a compaction before all that; the folder is compacted then, where the server has a command for it, and measured again.",
      columns: [
        { key: "coldMs", title: "cold ms", digits: 1 },
        { key: "warmMs", title: "warm ms", digits: 1 },
        { key: "rssMb", title: "RSS after MB", digits: 0 },
        { key: "diskMb", title: "disk MB", digits: 2 },
        { key: "compactedMb", title: "compacted MB", digits: 2 },
        { key: "writeCpuSeconds", title: "CPU s to write", digits: 1 },
        { key: "writeSeconds", title: "s to write", digits: 1 },
      ],
    },
  ],
  appliesTo: (server) => server.durable && hasTrace,
  measure: async (kind, context) => {
    const folder = context.makeFolder();
    const written = await write(kind, folder, context);
    const size = { ...written, diskMb: diskMegabytes(folder) };
    const samples: Sample[] = [];
    for (let restart = 0; restart < restarts; restart += 1) {
      samples.push({ ...size, ...(await open(kind, folder, written["clocks"] ?? 0, context)) });
    }
    const args = kind.compact?.(folder);
    if (args === undefined) return samples;
    await run({ name: `${kind.id} compact`, core: context.pinning?.serverCore, args });
    const compactedMb = diskMegabytes(folder);
    return [{ ...samples[0], compactedMb }, ...samples.slice(1)];
  },
};

async function write(kind: ServerKind, folder: string, context: RowContext): Promise<Sample> {
  const { plan, pinning } = context;
  const server = await startServer(kind, folder, pinning?.serverCore);
  try {
    const { url, wire, pid: serverPid } = server;
    const job = { kind: "send-trace", url, wire, serverPid, document } as const;
    const options = { core: pinning?.loadCore, limitMs: loadOverheadMs * 5 };
    const sample = await runLoad({ ...job, edits: plan.traceEdits }, options);
    await delay(plan.leftMs);
    await whenQuiet(server.pid);
    return sample;
  } finally {
    await server.stop();
  }
}

async function open(
  kind: ServerKind,
  folder: string,
  clocks: number,
  { pinning }: RowContext,
): Promise<Sample> {
  const server = await startServer(kind, folder, pinning?.serverCore);
  try {
    await whenQuiet(server.pid);
    const { url, wire, pid: serverPid } = server;
    const job = { kind: "open", url, wire, serverPid, clocks } as const;
    const options = { core: pinning?.loadCore, limitMs: loadOverheadMs };
    return await runLoad({ ...job, client: clientIdOf(0), documents: [document] }, options);
  } finally {
    await server.stop();
  }
}
