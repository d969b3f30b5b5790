import { fileURLToPath } from "node:url";
import type { ServerKind } from "./server.ts";

const program = fileURLToPath(new URL("./raw-ws-program.js", import.meta.url));

export const rawWs: ServerKind = {
  id: "raw ws",
  durability: "none, keeps nothing at all",
  durable: false,
  launch: async () => ({
    args: [program],
    readUrl: (line) => (line.startsWith("http://") ? line : undefined),
  }),
};
