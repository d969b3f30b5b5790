import { runLoad } from "../run-load.ts";
import { startServer } from "../servers/server.ts";
import { loadOverheadMs, type Row } from "./row.ts";

/** What a client costs that is only there. */
export const idle: Row = {
  id: "idle",
  roundsMax: 2,
  tables: [
    {
      title: "2,000 idle connections, ten to an empty document",
      explanation:
        "200 in the quick form. 100 others are connected before, so that what everybody shares is not counted. CPU is what the server uses while nothing happens.",
      columns: [
        { key: "kilobytesEach", title: "KB of RSS each", digits: 1, versusStock: true },
        { key: "rssMb", title: "RSS MB", digits: 0 },
        { key: "idleCpu", title: "idle, of a core", digits: 3 },
      ],
    },
  ],
  appliesTo: () => true,
  measure: async (kind, { plan, pinning, makeFolder }) => {
    const server = await startServer(kind, makeFolder(), pinning?.serverCore);
    try {
      const { url, wire, pid: serverPid } = server;
      const job = { kind: "idle", url, wire, serverPid } as const;
      const size = { clients: plan.idleClients, settleMs: plan.idleSettleMs };
      return [
        await runLoad({ ...job, ...size }, { core: pinning?.loadCore, limitMs: loadOverheadMs }),
      ];
    } finally {
      await server.stop();
    }
  },
};
