import { hasTrace } from "../load/trace.ts";
import { runLoad } from "../run-load.ts";
import { heddleRelay } from "../servers/heddle-relay.ts";
import { yWebsocketServer } from "../servers/y-websocket-server.ts";
import { loadOverheadMs, type Row } from "./row.ts";

/** What typing costs on the wire, signatures, chain and acknowledgements included. */
export const typedBytes: Row = {
  id: "typed-bytes",
  // Nothing in it depends on the machine.
  roundsMax: 1,
  tables: [
    {
      title:
        "Bytes on the wire for a paper typed at human speed (5,000 edits of it in the quick form)",
      explanation:
        "259,778 edits (automerge-perf), one every 200 ms, in virtual time. heddle: two replicas with a live document each and one connection; payloads of all messages in both directions. y-websocket: the messages of the writer only, each transaction in its own; its server's echo and presence are not counted. Watched: the document is open in a second place at the writer's, so that edits wait for others for 40 ms and not for 500 ms; the first 20,000 edits (2,000). The table's figures repeat to within a few bytes.",
      columns: [
        { key: "bytesPerKey", title: "bytes per edit", digits: 1, versusStock: true },
        { key: "megabytes", title: "MB in all", digits: 2 },
        { key: "messagesPerKey", title: "messages per edit", digits: 2 },
        {
          key: "watchedBytesPerKey",
          title: "watched: bytes per edit",
          digits: 1,
          versusStock: true,
        },
        { key: "watchedMessagesPerKey", title: "watched: messages per edit", digits: 2 },
        { key: "cpuSeconds", title: "CPU s to measure", digits: 0 },
      ],
    },
  ],
  appliesTo: ({ id }) => hasTrace && [heddleRelay.id, yWebsocketServer.id].includes(id),
  measure: async (kind, { plan, pinning }) => {
    const wire = kind.id === heddleRelay.id ? "heddle" : "y-websocket";
    const { traceEdits: edits, watchedEdits, typingMs } = plan;
    const job = { kind: "typed-bytes", wire, edits, watchedEdits, typingMs } as const;
    return [await runLoad(job, { core: pinning?.loadCore, limitMs: loadOverheadMs * 40 })];
  },
};
