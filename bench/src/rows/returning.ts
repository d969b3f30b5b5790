import { runLoad } from "../run-load.ts";
import { startServer } from "../servers/server.ts";
import { loadOverheadMs, type Row } from "./row.ts";

const times = 21;

/** Somebody who was away: many updates behind on a document that others have open. */
export const returning: Row = {
  id: "returning",
  roundsMax: 3,
  tables: [
    {
      title: "A returning client, 10,000 updates behind on an open document of 1 MB",
      explanation:
        "1,000 updates and 100 KB in the quick form. From the question (sync step 1 with its state vector) to the answer, connecting not counted, 21 times. The smallest answer is what Yjs would send.",
      columns: [
        { key: "p50Ms", title: "p50 ms", digits: 2, versusStock: true },
        { key: "maxMs", title: "max ms", digits: 2 },
        { key: "bytes", title: "bytes", digits: 0 },
        { key: "bytesRatio", title: "bytes ÷ smallest", digits: 3 },
      ],
    },
  ],
  appliesTo: (server) => server.keepsDocuments,
  measure: async (kind, { plan, pinning, makeFolder }) => {
    const server = await startServer(kind, makeFolder(), pinning?.serverCore);
    try {
      const { url, wire, pid: serverPid } = server;
      const job = { kind: "returning", url, wire, serverPid, times } as const;
      const size = { bytes: plan.returningBytes, behind: plan.updatesBehind };
      const options = { core: pinning?.loadCore, limitMs: loadOverheadMs * 2 };
      return [await runLoad({ ...job, ...size }, options)];
    } finally {
      await server.stop();
    }
  },
};
