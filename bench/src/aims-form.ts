import type { Row } from "./rows/row.ts";
import { heddleRelay, heddleRelayPruning } from "./servers/heddle-relay.ts";
import { hocuspocus } from "./servers/hocuspocus.ts";
import { rawWs, rawWsBatched } from "./servers/raw-ws.ts";
import type { ServerKind } from "./servers/server.ts";
import { yWebsocketServer, yWebsocketServerLeveldb } from "./servers/y-websocket-server.ts";

const live = ["fan-out", "fan-out-rate", "documents", "returning"];
const stored = ["durability", "library", "cold-open"];

/** Of each server the rows that an aim compares it in: what is in memory where nothing is read back. */
const rowsOf: ReadonlyMap<ServerKind, readonly string[]> = new Map([
  [heddleRelay, [...live, ...stored]],
  [heddleRelayPruning, ["cold-open"]],
  [yWebsocketServer, live],
  [yWebsocketServerLeveldb, stored],
  [hocuspocus, [...live, ...stored]],
  [rawWs, ["fan-out", "fan-out-rate", "documents"]],
  [rawWsBatched, ["fan-out"]],
]);

/** Enough for a median; half an hour on a quiet machine. */
export const aimsRounds = 3;

/** The rows that an aim was set for, and the servers that it was set beside. */
export function onlyAims(
  rows: readonly Row[],
  servers: readonly ServerKind[],
): { readonly rows: readonly Row[]; readonly servers: readonly ServerKind[] } {
  return {
    rows: rows.filter(({ id }) => live.includes(id) || stored.includes(id)),
    servers: servers.flatMap((server) => {
      const onlyRows = rowsOf.get(server);
      return onlyRows ? [{ ...server, onlyRows }] : [];
    }),
  };
}
