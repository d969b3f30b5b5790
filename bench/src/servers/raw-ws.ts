import { fileURLToPath } from "node:url";
import type { ServerKind } from "./server.ts";

export const rawWs: ServerKind = rawServer("raw ws", "raw-ws-program");

export const rawWsBatched: ServerKind = rawServer("raw ws, batched", "raw-ws-batched-program");

function rawServer(id: string, program: string): ServerKind {
  const file = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
  return {
    id,
    wire: "y-websocket",
    durability: "none, keeps nothing at all",
    durable: false,
    keepsDocuments: false,
    launch: async () => ({
      args: [file],
      readUrl: (line) => (line.startsWith("http://") ? line : undefined),
    }),
  };
}
