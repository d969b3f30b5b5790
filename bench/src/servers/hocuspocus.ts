import { fileURLToPath } from "node:url";
import type { ServerKind } from "./server.ts";

const program = fileURLToPath(new URL("./hocuspocus-program.js", import.meta.url));

export const hocuspocus: ServerKind = {
  id: "hocuspocus",
  wire: "hocuspocus",
  durability: "shown first; the whole document stored 2 to 10 s later, as a file, never synced",
  durable: true,
  keepsDocuments: true,
  launch: async (folder) => ({
    args: [program, folder],
    readUrl: (line) => (line.startsWith("http://") ? line : undefined),
  }),
};
