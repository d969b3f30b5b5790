import { fileURLToPath } from "node:url";
import type { ServerKind } from "./server.ts";

const command = fileURLToPath(new URL("../../../apps/cli/bin/heddle.js", import.meta.url));

/** The relay as users start it. */
export const heddleRelay: ServerKind = {
  id: "heddle",
  wire: "y-websocket",
  durability: "fdatasync before an update is shown to anyone",
  durable: true,
  keepsDocuments: true,
  launch: async (folder) => ({
    args: [command, "relay", "--host", "127.0.0.1", "--port", "0", "--data", folder, "--json"],
    readUrl: readListeningUrl,
  }),
  compact: (folder) => [command, "compact", folder],
};

/** The same with room for more young objects between collections; see docs/operations.md. */
export const heddleRelayRoomy: ServerKind = {
  ...heddleRelay,
  id: "heddle, semi-space 64 MB",
  onlyRows: ["documents", "library"],
  launch: async (folder) => {
    const { args, readUrl } = await heddleRelay.launch(folder);
    return { args: ["--max-semi-space-size=64", ...args], readUrl };
  },
};

/** The same, where documents do not keep what checkpoints cover. */
export const heddleRelayPruning: ServerKind = {
  ...heddleRelay,
  id: "heddle --history prune",
  onlyRows: ["cold-open"],
  launch: async (folder) => {
    const { args, readUrl } = await heddleRelay.launch(folder);
    return { args: [...args, "--history", "prune"], readUrl };
  },
};

/** Two of them, of which the second dials the first. */
export const heddleRelayPair: ServerKind = {
  ...heddleRelay,
  id: "heddle --peer",
  durability: "fdatasync at the writer's relay, then fdatasync at the reader's",
  onlyRows: ["peers"],
  launchPeer: async (folder, url) => {
    const { args, readUrl } = await heddleRelay.launch(folder);
    return { args: [...args, "--peer", url.replace("http", "ws")], readUrl };
  },
};

function readListeningUrl(line: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  const event = JSON.parse(line) as { event?: string; url?: string };
  return event.event === "relay.listening" ? event.url : undefined;
}
