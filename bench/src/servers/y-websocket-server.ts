import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { ServerKind, ServerLaunch } from "./server.ts";

/** The program of the package, as `npx y-websocket-server` runs it, with the `ws` 6 it brings along. */
const program = fileURLToPath(
  new URL("./src/server.js", import.meta.resolve("@y/websocket-server/package.json")),
);

export const yWebsocketServer: ServerKind = {
  id: "y-websocket-server",
  wire: "y-websocket",
  durability: "none, in memory",
  durable: false,
  keepsDocuments: true,
  launch: () => launch({}),
};

export const yWebsocketServerLeveldb: ServerKind = {
  id: "y-websocket-server + y-leveldb",
  wire: "y-websocket",
  durability: "shown first; queued for LevelDB afterwards, never synced",
  durable: true,
  keepsDocuments: true,
  launch: (folder) => launch({ YPERSISTENCE: folder }),
};

/** It cannot report a port that the system chose, so a free one is found for it. */
async function launch(environment: Record<string, string>): Promise<ServerLaunch> {
  const port = await findFreePort();
  return {
    args: [program],
    environment: { ...environment, HOST: "127.0.0.1", PORT: String(port) },
    readUrl: (line) => (line.startsWith("running at") ? `http://127.0.0.1:${port}` : undefined),
  };
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
