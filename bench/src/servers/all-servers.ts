import {
  heddleRelay,
  heddleRelayPair,
  heddleRelayPruning,
  heddleRelayRoomy,
} from "./heddle-relay.ts";
import { hocuspocus } from "./hocuspocus.ts";
import { rawWs, rawWsBatched } from "./raw-ws.ts";
import type { ServerKind } from "./server.ts";
import { yWebsocketServer, yWebsocketServerLeveldb } from "./y-websocket-server.ts";

/** All others are shown as multiples of this one: what people run today. */
export const stockServerId = yWebsocketServer.id;

/** In the order in which a round runs them. */
export const allServers: readonly ServerKind[] = [
  heddleRelay,
  heddleRelayRoomy,
  heddleRelayPruning,
  heddleRelayPair,
  yWebsocketServer,
  yWebsocketServerLeveldb,
  hocuspocus,
  rawWs,
  rawWsBatched,
];
